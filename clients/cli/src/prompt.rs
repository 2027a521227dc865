//! The interactive prompt: history, completion, statements of several lines.

use std::borrow::Cow;
use std::io::{IsTerminal, Read};

use reedline::{
    ColumnarMenu, DefaultCompleter, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder,
    Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    ValidationResult, Validator, default_emacs_keybindings,
};
use thalweg::sql::dialect::is_complete;

use crate::exit;
use crate::script::Runner;

const HISTORY_LINES_MAX: usize = 10_000;
const KEYWORDS: [&str; 40] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "INSERT",
    "INTO",
    "VALUES",
    "CREATE",
    "TABLE",
    "VIEW",
    "TEMPORARY",
    "DROP",
    "WITH",
    "AS",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "ON",
    "UNION",
    "ALL",
    "DISTINCT",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "TUMBLE",
    "HOP",
    "CUMULATE",
    "SESSION",
    "DESCRIPTOR",
    "INTERVAL",
    "WATERMARK",
    "EXPLAIN",
    "SHOW",
    "DESCRIBE",
];

/// Runs the prompt until `QUIT` or Ctrl-D; reads a whole script when input is no terminal.
pub fn run(runner: &mut Runner) -> u8 {
    if !std::io::stdin().is_terminal() {
        let mut text = String::new();
        if let Err(error) = std::io::stdin().read_to_string(&mut text) {
            eprintln!("error: cannot read standard input: {error}");
            return exit::FAILED;
        }
        return runner.run_text(None, &text);
    }
    println!(
        "Thalweg {}: end statements with `;`, HELP for help.",
        env!("CARGO_PKG_VERSION")
    );
    let mut editor = editor(runner);
    loop {
        match editor.read_line(&SqlPrompt) {
            Ok(Signal::Success(line)) => {
                if command(runner, &line) {
                    return exit::OK;
                }
            }
            Ok(Signal::CtrlD) => return exit::OK,
            // Ctrl-C clears the line.
            Ok(_) => runner.interrupt.clear(),
            Err(error) => {
                eprintln!("error: the terminal cannot be read: {error}");
                return exit::FAILED;
            }
        }
    }
}

/// Runs what was typed; true ends the prompt.
fn command(runner: &mut Runner, line: &str) -> bool {
    let word = line.trim().trim_end_matches(';').trim();
    match word.to_ascii_uppercase().as_str() {
        "" => {}
        "QUIT" | "EXIT" => return true,
        "CLEAR" => print!("\x1b[2J\x1b[H"),
        "HELP" => help(),
        upper if upper.starts_with("SOURCE ") => {
            let file = word[7..].trim().trim_matches('\'');
            match std::fs::read_to_string(file) {
                Ok(text) => drop(runner.run_text(Some(file), &text)),
                Err(error) => eprintln!("error: cannot read `{file}`: {error}"),
            }
        }
        _ => drop(runner.run_text(None, line)),
    }
    runner.interrupt.clear();
    false
}

fn help() {
    println!("SELECT …;              show the rows of a query");
    println!("CREATE TABLE …;        declare a table");
    println!("INSERT INTO … …;       write a query's rows to a table");
    println!("EXPLAIN …;             show how a query would run");
    println!("SET 'key' = 'value';   change an option; SET; lists those set");
    println!("SHOW TABLES;  DESCRIBE t;  SHOW FUNCTIONS;");
    println!("SOURCE file            run the statements of a file");
    println!("CLEAR, QUIT");
}

fn editor(runner: &Runner) -> Reedline {
    let mut words: Vec<String> = KEYWORDS.iter().map(|word| (*word).to_owned()).collect();
    words.extend(runner.session.relation_names());
    words.extend(runner.session.function_names());
    let mut completer = DefaultCompleter::with_inclusions(&['_']);
    completer.insert(words);
    let menu = Box::new(ColumnarMenu::default().with_name("completion"));
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu("completion".to_owned()),
            ReedlineEvent::MenuNext,
        ]),
    );
    let editor = Reedline::create()
        .with_validator(Box::new(Whole))
        .with_completer(Box::new(completer))
        .with_menu(ReedlineMenu::EngineCompleter(menu))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    let file = std::env::var_os("HOME")
        .map(|home| std::path::PathBuf::from(home).join(".thalweg_history"));
    // A home that cannot be written to leaves a prompt without history.
    match file.and_then(|file| FileBackedHistory::with_file(HISTORY_LINES_MAX, file).ok()) {
        Some(history) => editor.with_history(Box::new(history)),
        None => editor,
    }
}

struct Whole;

impl Validator for Whole {
    fn validate(&self, line: &str) -> ValidationResult {
        let first = line
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let single = ["QUIT", "EXIT", "CLEAR", "HELP", "SOURCE"];
        if line.trim().is_empty()
            || single
                .iter()
                .any(|word| first.trim_end_matches(';') == *word)
            || is_complete(line)
        {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

struct SqlPrompt;

impl Prompt for SqlPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed("thalweg")
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("> ")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("     -> ")
    }

    fn render_prompt_history_search_indicator(&self, _: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Borrowed("(history) ")
    }
}
