//! `#[derive(Data)]`: schema and canonical bytes of a struct or enum.
//!
//! The canonical form is that of `thalweg_core::data`: fields in declared order, enum variants by
//! their number as `u32`. The generated code names `::thalweg_core`, or `::thalweg::core` when the
//! attribute `#[data(crate = "thalweg::core")]` says so.

mod attributes;
#[cfg(test)]
mod tests;

use attributes::FieldDefault;
use proc_macro::TokenStream;
use proc_macro2::{Span, TokenStream as Tokens};
use quote::{format_ident, quote};
use syn::{DeriveInput, Fields, parse_macro_input};

/// Derives `thalweg_core::data::Data`.
///
/// Generic parameters must be `Data` themselves. Unions are refused. The attributes are described
/// at the trait.
#[proc_macro_derive(Data, attributes(data))]
pub fn derive_data(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    let container = attributes::container(input)?;
    let root = container.root;
    let ident = &input.ident;
    let type_name = ident.to_string();
    let text = name(&root, &type_name, &container.aliases);
    let body = match &input.data {
        syn::Data::Struct(data) => {
            let schema = fields_schema(&root, &data.fields)?;
            let (pattern, names) = pattern(&data.fields);
            let build = build(&root, &quote!(Self), &data.fields);
            quote! {
                fn schema() -> #root::data::Schema {
                    #root::data::Schema::of_type::<Self>(#type_name, || {
                        #root::data::Schema::Struct(#text, #schema)
                    })
                }
                fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                    let Self #pattern = self;
                    #(#root::data::Data::encode(#names, out);)*
                }
                fn decode(input: &mut &[u8]) -> #root::Result<Self> {
                    ::std::result::Result::Ok(#build)
                }
            }
        }
        syn::Data::Enum(data) => enum_body(&root, ident, &text, data)?,
        syn::Data::Union(data) => {
            return Err(syn::Error::new(
                data.union_token.span,
                "a union has no canonical bytes: use an enum",
            ));
        }
    };
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#root::data::Data));
    }
    let (implemented, types, bounds) = generics.split_for_impl();
    Ok(quote! {
        impl #implemented #root::data::Data for #ident #types #bounds { #body }
    })
}

fn enum_body(
    root: &syn::Path,
    ident: &syn::Ident,
    text: &Tokens,
    data: &syn::DataEnum,
) -> syn::Result<Tokens> {
    let type_name = ident.to_string();
    let mut names = Vec::new();
    let mut schemas = Vec::new();
    let mut encodes = Vec::new();
    let mut decodes = Vec::new();
    for (number, variant) in data.variants.iter().enumerate() {
        let number = number as u32;
        let ident = &variant.ident;
        let aliases = attributes::variant(variant)?;
        let label = name(root, &ident.to_string(), &aliases);
        names.push(ident.to_string());
        names.extend(aliases);
        let fields = fields_schema(root, &variant.fields)?;
        schemas.push(quote!(#root::data::Variant { name: #label, fields: #fields }));
        let (pattern, bound) = pattern(&variant.fields);
        encodes.push(quote! {
            Self::#ident #pattern => {
                #root::data::Data::encode(&#number, out);
                #(#root::data::Data::encode(#bound, out);)*
            }
        });
        let build = build(root, &quote!(Self::#ident), &variant.fields);
        decodes.push(quote!(#number => ::std::result::Result::Ok(#build),));
    }
    attributes::check_names(&data.variants, &names)?;
    Ok(quote! {
        fn schema() -> #root::data::Schema {
            #root::data::Schema::of_type::<Self>(#type_name, || {
                #root::data::Schema::Enum(#text, vec![#(#schemas),*])
            })
        }
        fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
            match self { #(#encodes)* }
        }
        fn decode(input: &mut &[u8]) -> #root::Result<Self> {
            match <u32 as #root::data::Data>::decode(input)? {
                #(#decodes)*
                other => ::std::result::Result::Err(#root::Error::corrupt(
                    format!("`{}` has no variant number `{other}`", #type_name),
                )),
            }
        }
    })
}

fn name(root: &syn::Path, text: &str, aliases: &[String]) -> Tokens {
    quote!(#root::data::Name::from(#text)#(.alias(#aliases))*)
}

fn fields_schema(root: &syn::Path, fields: &Fields) -> syn::Result<Tokens> {
    let known = attributes::fields(fields)?;
    let fields = fields.iter().zip(known).map(|(field, (text, of))| {
        let kind = &field.ty;
        let name = name(root, &text, &of.aliases);
        let default = of.default.map(|default| {
            let value = match default {
                FieldDefault::OfType => quote!(<#kind as ::std::default::Default>::default()),
                FieldDefault::Expression(value) => quote!(#value),
            };
            quote!(.default(|| {
                let value: #kind = #value;
                #root::data::to_bytes(&value)
            }))
        });
        quote!(#root::data::Field::new(#name, <#kind as #root::data::Data>::schema())#default)
    });
    Ok(quote!(vec![#(#fields),*]))
}

fn pattern(fields: &Fields) -> (Tokens, Vec<syn::Ident>) {
    match fields {
        Fields::Named(named) => {
            let originals: Vec<_> = named.named.iter().filter_map(|f| f.ident.clone()).collect();
            let names: Vec<_> = originals
                .iter()
                .map(|n| format_ident!("field_{n}"))
                .collect();
            (quote!({ #(#originals: #names),* }), names)
        }
        Fields::Unnamed(unnamed) => {
            let names: Vec<_> = (0..unnamed.unnamed.len())
                .map(|i| syn::Ident::new(&format!("field_{i}"), Span::call_site()))
                .collect();
            (quote!(( #(#names),* )), names)
        }
        Fields::Unit => (quote!(), Vec::new()),
    }
}

fn build(root: &syn::Path, constructor: &Tokens, fields: &Fields) -> Tokens {
    let decode = |kind: &syn::Type| quote!(<#kind as #root::data::Data>::decode(input)?);
    match fields {
        Fields::Named(named) => {
            let names = named.named.iter().filter_map(|f| f.ident.clone());
            let values = named.named.iter().map(|f| decode(&f.ty));
            quote!(#constructor { #(#names: #values),* })
        }
        Fields::Unnamed(unnamed) => {
            let values = unnamed.unnamed.iter().map(|f| decode(&f.ty));
            quote!(#constructor ( #(#values),* ))
        }
        Fields::Unit => quote!(#constructor),
    }
}
