//! `EXPLAIN`.

use thalweg_core::graph::JobGraph;

use super::job::planned;
use super::show::text_rows;
use super::{Outcome, Session};
use crate::dialect::{ExplainDetail, Statement};
use crate::error::{SqlError, SqlResult};

impl Session {
    pub(super) fn explain(
        &self,
        details: &[ExplainDetail],
        statement: &Statement,
    ) -> SqlResult<Outcome> {
        let Statement::Query(query) = statement else {
            return Err(SqlError::unsupported("EXPLAIN of anything but a query"));
        };
        let unknown = |detail: &&ExplainDetail| !matches!(detail, ExplainDetail::ChangelogMode);
        if let Some(detail) = details.iter().find(unknown) {
            return Err(SqlError::unsupported(format!("EXPLAIN {detail:?}")));
        }
        let plan = self.plan(query)?;
        let (stream, job, _, _) = self.with_physical(|planner, _| planned(planner, &plan))?;
        let mut text = String::from("== Optimized Logical Plan ==\n");
        text.push_str(&plan.display_indent().to_string());
        text.push_str("\n\n== Operators ==\n");
        let mode = if stream.updating {
            "[I, UB, UA, D]"
        } else {
            "[I]"
        };
        if details.contains(&ExplainDetail::ChangelogMode) {
            text.push_str(&format!("changelogMode={mode}\n"));
        }
        text.push_str(&stream.text.join("\n"));
        text.push_str("\n\n== Tasks ==\n");
        text.push_str(&tasks(&job));
        Ok(Outcome::Rows(text_rows(&[(
            "result",
            vec![text.as_str()],
        )])?))
    }
}

fn tasks(job: &JobGraph) -> String {
    let mut lines = Vec::new();
    for (position, vertex) in job.vertices.iter().enumerate() {
        lines.push(format!(
            "{position}: {} (parallelism {})",
            vertex.name, vertex.parallelism
        ));
        for edge in job.edges.iter().filter(|edge| edge.to == position) {
            lines.push(format!(
                "     <- {} {}",
                edge.from,
                edge.partitioning.name()
            ));
        }
    }
    lines.join("\n")
}
