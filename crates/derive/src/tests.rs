//! What the macro refuses.

use syn::{DeriveInput, parse_quote};

fn refusal(input: &DeriveInput) -> String {
    match super::expand(input) {
        Ok(tokens) => panic!("expanded to {tokens}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_name_that_two_fields_have_or_had_is_refused() {
    let alias = parse_quote!(
        struct A {
            a: u8,
            #[data(alias = "a")]
            b: u8,
        }
    );
    assert_eq!(refusal(&alias), "`a` is the name or alias of two");
    let variants = parse_quote!(
        enum A {
            #[data(alias = "x")]
            B,
            #[data(alias = "x")]
            C,
        }
    );
    assert_eq!(refusal(&variants), "`x` is the name or alias of two");
}

#[test]
fn an_attribute_that_means_nothing_is_refused_where_it_stands() {
    let cases: [(DeriveInput, &str); 3] = [
        (
            parse_quote!(
                #[data(default)]
                struct A;
            ),
            "a type knows",
        ),
        (
            parse_quote!(
                struct A {
                    #[data(skip)]
                    a: u8,
                }
            ),
            "a field knows",
        ),
        (
            parse_quote!(
                enum A {
                    #[data(default)]
                    B,
                }
            ),
            "a variant knows",
        ),
    ];
    for (input, expected) in cases {
        let text = refusal(&input);
        assert!(text.contains(expected), "{text}");
    }
}
