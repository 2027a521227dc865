//! Statements and the trees they parse to, and errors exactly as users see them.

mod errors;
mod nexmark;
mod queries;
mod statements;

use sqlparser::ast::{Expr, Ident};

use super::*;

/// The only statement of `text`, or the error as a prompt shows it.
fn parsed(text: &str) -> Statement {
    match parse_script(text) {
        Ok(mut statements) if statements.len() == 1 => statements.remove(0).node,
        Ok(statements) => panic!("{} statements in {text}", statements.len()),
        Err(error) => panic!("{}", error.render(None, text)),
    }
}

fn names(idents: &[Ident]) -> String {
    let names: Vec<&str> = idents.iter().map(|ident| ident.value.as_str()).collect();
    names.join(",")
}

fn options(options: &Options) -> String {
    let pairs: Vec<String> = options.iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(" ")
}

fn flag(name: &str, set: bool) -> String {
    if set {
        format!(" {name}")
    } else {
        String::new()
    }
}

fn optional(name: &str, value: impl std::fmt::Display) -> String {
    let value = value.to_string();
    if value.is_empty() {
        String::new()
    } else {
        format!(" {name}[{value}]")
    }
}

fn column(column: &ColumnDef) -> String {
    let name = &column.name.value;
    let text = match &column.kind {
        ColumnKind::Physical { data_type } => format!("{name} {data_type}"),
        ColumnKind::Computed { text, .. } => format!("{name} := {text}"),
        ColumnKind::Metadata {
            data_type,
            key,
            is_virtual,
        } => format!(
            "{name} {data_type} metadata({}{})",
            key.as_deref().unwrap_or(""),
            flag("virtual", *is_virtual)
        ),
    };
    match &column.comment {
        Some(comment) => format!("{text} '{comment}'"),
        None => text,
    }
}

fn table(table: &CreateTable) -> String {
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    let like = table.like.as_ref().map_or(String::new(), |like| {
        let options: Vec<String> = like
            .options
            .iter()
            .map(|option| format!(" {:?} {:?}", option.strategy, option.feature))
            .collect();
        format!("{}{}", like.source, options.join(""))
    });
    let query = table.as_query.as_ref().map(|query| query.to_string());
    let distribution = table
        .distribution
        .as_ref()
        .map(|d| format!("{:?} {} {:?}", d.kind, names(&d.columns), d.buckets));
    [
        format!("table {}", table.name),
        flag("temporary", table.temporary),
        flag("if-not-exists", table.if_not_exists),
        flag(
            &format!("{:?}", table.replace),
            table.replace != Replace::No,
        ),
        optional("columns", columns.join("; ")),
        optional("identifiers", names(&table.identifiers)),
        table.watermark.as_ref().map_or(String::new(), |watermark| {
            optional(
                "watermark",
                format!("{} <- {}", names(&watermark.column), watermark.text),
            )
        }),
        table
            .primary_key
            .as_ref()
            .map_or(String::new(), |key| optional("key", names(&key.columns))),
        optional("comment", table.comment.as_deref().unwrap_or("")),
        optional("distribution", distribution.unwrap_or_default()),
        optional("partitions", names(&table.partitioned_by)),
        optional("options", options(&table.options)),
        optional("like", like),
        optional("as", query.unwrap_or_default()),
    ]
    .concat()
}

fn insert(insert: &Insert) -> String {
    let hints: Vec<String> = insert.hints.iter().map(hint).collect();
    let partition: Vec<String> = insert
        .partition
        .iter()
        .map(|(name, value): &(Ident, Expr)| format!("{}={value}", name.value))
        .collect();
    [
        format!("insert {}", insert.table),
        optional("hints", hints.join(" ")),
        flag("overwrite", insert.overwrite),
        optional("partition", partition.join(" ")),
        optional("columns", names(&insert.columns)),
        optional("query", &insert.query),
        insert
            .on_conflict
            .map_or(String::new(), |action| format!(" on-conflict {action:?}")),
    ]
    .concat()
}

fn hint(hint: &Hint) -> String {
    let arguments: Vec<String> = hint
        .arguments
        .iter()
        .map(|argument| match argument {
            HintArgument::Name(name) => name.clone(),
            HintArgument::Pair(key, value) => format!("{key}={value}"),
        })
        .collect();
    format!("{}({})", hint.name, arguments.join(","))
}

/// A statement on one line, without places.
fn summary(statement: &Statement) -> String {
    match statement {
        Statement::CreateTable(create) => table(create),
        Statement::CreateView(view) => [
            format!("view {}", view.name),
            flag("temporary", view.temporary),
            flag("or-replace", view.or_replace),
            flag("if-not-exists", view.if_not_exists),
            optional("columns", names(&view.columns)),
            optional("comment", view.comment.as_deref().unwrap_or("")),
            optional("as", &view.text),
        ]
        .concat(),
        Statement::Insert(statement) => insert(statement),
        Statement::StatementSet(inserts) => {
            let inserts: Vec<String> = inserts.iter().map(insert).collect();
            format!("set {{ {} }}", inserts.join("; "))
        }
        Statement::Query(query) => query.to_string(),
        Statement::Explain { details, statement } => {
            format!("explain {details:?} {}", summary(statement))
        }
        Statement::Use(path) => format!("use {path}"),
        Statement::UseCatalog(name) => format!("use catalog {}", name.value),
        Statement::Set(Some(setting)) => format!("set {}={}", setting.key.key, setting.value),
        Statement::Set(None) => "set".to_string(),
        Statement::Reset(key) => {
            format!("reset {}", key.as_ref().map_or("", |key| key.key.as_str()))
        }
        Statement::Show(show) => format!(
            "show {:?}{}{}",
            show.kind,
            show.from
                .as_ref()
                .map_or(String::new(), |from| format!(" from {from}")),
            show.filter
                .as_ref()
                .map_or(String::new(), |filter| format!(" {filter:?}")),
        ),
        Statement::ShowCreate { kind, name } => format!("show create {kind:?} {name}"),
        Statement::Describe {
            kind,
            name,
            extended,
        } => format!("describe {kind:?} {name}{}", flag("extended", *extended)),
        Statement::Drop(drop) => format!(
            "drop {:?} {}{}{}{}",
            drop.kind,
            drop.name,
            flag("temporary", drop.temporary),
            flag("if-exists", drop.if_exists),
            flag("cascade", drop.cascade)
        ),
        Statement::CreateDatabase(database) => format!(
            "database {}{}{}{}",
            database.name,
            flag("if-not-exists", database.if_not_exists),
            optional("comment", database.comment.as_deref().unwrap_or("")),
            optional("options", options(&database.options))
        ),
        Statement::CreateCatalog(catalog) => format!(
            "catalog {}{}{}",
            catalog.name.value,
            flag("if-not-exists", catalog.if_not_exists),
            optional("options", options(&catalog.options))
        ),
        Statement::CreateFunction(function) => format!(
            "function {} {:?} {:?} {:?}{}{}",
            function.name,
            function.class,
            function.language,
            function.artifacts,
            flag("temporary", function.temporary),
            flag("system", function.system)
        ),
        Statement::AlterTable(alter) => {
            format!(
                "alter table {}{} {}",
                alter.name,
                flag("if-exists", alter.if_exists),
                action(&alter.action)
            )
        }
        Statement::AlterView(alter) => match &alter.action {
            AlterViewAction::Rename(to) => format!("alter view {} rename {to}", alter.name),
            AlterViewAction::As { text, .. } => format!("alter view {} as {text}", alter.name),
        },
        Statement::AlterDatabase { name, options: set } => {
            format!("alter database {name} set {}", options(set))
        }
        Statement::Job(job) => format!("job {job:?}"),
        Statement::Client(command) => format!("client {command:?}"),
        Statement::Unsupported(absent) => format!("absent {} ({})", absent.what, absent.feature),
    }
}

fn action(action: &AlterTableAction) -> String {
    let elements = |elements: &AlterElements| {
        let columns: Vec<String> = elements
            .columns
            .iter()
            .map(|(definition, place)| match place {
                None => column(definition),
                Some(ColumnPlace::First) => format!("{} first", column(definition)),
                Some(ColumnPlace::After(name)) => {
                    format!("{} after {}", column(definition), name.value)
                }
            })
            .collect();
        let watermark = elements.watermark.as_ref();
        let key = elements.primary_key.as_ref();
        format!(
            "{}{}{}{}",
            columns.join("; "),
            watermark.map_or(String::new(), |w| format!(" watermark {}", w.text)),
            key.map_or(String::new(), |key| format!(" key {}", names(&key.columns))),
            flag("distribution", elements.distribution.is_some()),
        )
    };
    match action {
        AlterTableAction::Rename(to) => format!("rename {to}"),
        AlterTableAction::RenameColumn(from, to) => {
            format!("rename {} to {}", names(from), to.value)
        }
        AlterTableAction::Set(set) => format!("set {}", options(set)),
        AlterTableAction::Reset(keys) => format!("reset {}", keys.join(",")),
        AlterTableAction::Add(added) => format!("add {}", elements(added)),
        AlterTableAction::Modify(changed) => format!("modify {}", elements(changed)),
        AlterTableAction::DropColumns(columns) => {
            let columns: Vec<String> = columns.iter().map(|column| names(column)).collect();
            format!("drop {}", columns.join(";"))
        }
        AlterTableAction::DropPrimaryKey(name) => {
            format!(
                "drop key {}",
                name.as_ref().map_or("", |name| name.value.as_str())
            )
        }
        AlterTableAction::DropWatermark => "drop watermark".to_string(),
        AlterTableAction::DropDistribution => "drop distribution".to_string(),
    }
}
