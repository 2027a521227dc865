//! What must hold, one property a file.
//!
//! | Property       | When                       | What it says                                         |
//! |----------------|----------------------------|------------------------------------------------------|
//! | `exactly_once` | at the end                 | the ledger holds every row of the model once         |
//! | `complete`     | a checkpoint is completed  | it can be read, and has what every instance gave     |
//! | `replay`       | a checkpoint is completed  | its state is that of the records behind it, and a run from it yields the rest |
//! | `leaks`        | at each start, each checkpoint, the end | no directory that nobody will delete    |
//! | `progress`     | after the last fault       | the job comes to its end in so many steps            |
//! | `regions`      | a region starts again      | its tasks are connected, and no other starts again   |
//! | `watermarks`   | always                     | they rise at every instance; timers fire in time     |

pub mod complete;
pub mod exactly_once;
pub mod leaks;
pub mod progress;
pub mod regions;
pub mod replay;
pub mod watermarks;

/// Whether a property holds; what is wrong if not.
pub type Verdict = Result<(), String>;
