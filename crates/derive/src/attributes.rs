//! What `#[data(…)]` says.

use std::collections::BTreeSet;

use syn::meta::ParseNestedMeta;
use syn::{Attribute, DeriveInput, Expr, Fields, LitStr, Path};

/// Of the whole type.
pub(super) struct Container {
    pub(super) root: Path,
    pub(super) aliases: Vec<String>,
}

/// Of a field.
pub(super) struct OfField {
    pub(super) aliases: Vec<String>,
    pub(super) default: Option<FieldDefault>,
}

pub(super) enum FieldDefault {
    /// `Default::default()`.
    OfType,
    Expression(Box<Expr>),
}

pub(super) fn container(input: &DeriveInput) -> syn::Result<Container> {
    let mut root: Path = syn::parse_quote!(::thalweg_core);
    let mut aliases = Vec::new();
    each(&input.attrs, |meta| {
        if meta.path.is_ident("crate") {
            root = meta.value()?.parse::<LitStr>()?.parse()?;
        } else if meta.path.is_ident("alias") {
            aliases.push(alias(meta)?);
        } else {
            return Err(meta.error("unknown attribute: a type knows `crate` and `alias`"));
        }
        Ok(())
    })?;
    Ok(Container { root, aliases })
}

pub(super) fn variant(variant: &syn::Variant) -> syn::Result<Vec<String>> {
    let mut aliases = Vec::new();
    each(&variant.attrs, |meta| {
        if !meta.path.is_ident("alias") {
            return Err(meta.error("unknown attribute: a variant knows `alias`"));
        }
        aliases.push(alias(meta)?);
        Ok(())
    })?;
    Ok(aliases)
}

pub(super) fn field(field: &syn::Field) -> syn::Result<OfField> {
    let mut aliases = Vec::new();
    let mut default = None;
    each(&field.attrs, |meta| {
        if meta.path.is_ident("alias") {
            aliases.push(alias(meta)?);
        } else if meta.path.is_ident("default") {
            default = Some(match meta.value() {
                Ok(value) => FieldDefault::Expression(Box::new(value.parse()?)),
                Err(_) => FieldDefault::OfType,
            });
        } else {
            return Err(meta.error("unknown attribute: a field knows `default` and `alias`"));
        }
        Ok(())
    })?;
    Ok(OfField { aliases, default })
}

/// Refuses a name that two fields, or two variants, have or had: which of them a snapshot means
/// could not be told.
pub(super) fn check_names<'a>(
    spanned: &impl quote::ToTokens,
    names: impl IntoIterator<Item = &'a String>,
) -> syn::Result<()> {
    let mut seen = BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(syn::Error::new_spanned(
            spanned,
            format!("`{name}` is the name or alias of two"),
        )),
        None => Ok(()),
    }
}

/// The name by which a field is stored.
pub(super) fn field_name(index: usize, field: &syn::Field) -> String {
    field
        .ident
        .as_ref()
        .map_or_else(|| index.to_string(), ToString::to_string)
}

/// The attributes of all fields, with their names checked.
pub(super) fn fields(fields: &Fields) -> syn::Result<Vec<(String, OfField)>> {
    let known: Vec<(String, OfField)> = fields
        .iter()
        .enumerate()
        .map(|(index, f)| Ok((field_name(index, f), field(f)?)))
        .collect::<syn::Result<_>>()?;
    check_names(
        fields,
        known
            .iter()
            .flat_map(|(name, of)| std::iter::once(name).chain(&of.aliases)),
    )?;
    Ok(known)
}

fn alias(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn each(
    attributes: &[Attribute],
    mut logic: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("data"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| logic(&meta)))
}
