//! Counts the words of Hamlet's monologue.
//!
//!     cargo run --package thalweg-examples --bin wordcount

use thalweg::prelude::*;

fn main() -> Result<()> {
    let text = include_str!("../../data/hamlet.txt");
    let env = StreamExecutionEnvironment::new();
    env.configure(|config| config.mode = thalweg::core::config::RuntimeMode::Batch);
    let mut words = env
        .from_collection(text.lines().map(str::to_lowercase))
        .flat_map(|line| {
            let words = line.split(|c: char| !c.is_alphabetic() && c != '\'');
            words.map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|word| !word.is_empty())
        .map(|word| (word, 1u64))
        .key_by(|(word, _)| word.clone())
        .sum(|(_, count)| count)
        .execute_and_collect()?;
    words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    for (word, count) in words.iter().take(10) {
        println!("{count:4} {word}");
    }
    Ok(())
}
