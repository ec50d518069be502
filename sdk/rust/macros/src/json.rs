//! JSON written in an attribute, as Rust's own tokens: `["a", {"b": 1}]`.

use proc_macro2::{Delimiter, TokenTree};
use serde_json::{Map, Value};
use syn::parse::{ParseStream, Parser};
use syn::{Error, Lit, LitStr, Token};

/// Reads one value.
pub fn value(input: ParseStream<'_>) -> syn::Result<Value> {
    if input.peek(Token![-]) {
        input.parse::<Token![-]>()?;
        let lit: Lit = input.parse()?;
        return number(&lit, "-");
    }
    if input.peek(Lit) {
        let lit: Lit = input.parse()?;
        return literal(&lit);
    }
    let tree: TokenTree = input.parse()?;
    match tree {
        TokenTree::Ident(null) if null == "null" => Ok(Value::Null),
        TokenTree::Group(group) => match group.delimiter() {
            Delimiter::Bracket => array.parse2(group.stream()),
            Delimiter::Brace => object.parse2(group.stream()),
            _ => Err(Error::new(group.span(), NOT_JSON)),
        },
        other => Err(Error::new(other.span(), NOT_JSON)),
    }
}

/// An object: JSON's tokens, or a string that holds it.
pub fn object_or_text(input: ParseStream<'_>) -> syn::Result<Map<String, Value>> {
    let span = input.span();
    let value = if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        serde_json::from_str(&text.value()).map_err(|error| Error::new(text.span(), format!("not JSON: {error}")))?
    } else {
        value(input)?
    };
    match value {
        Value::Object(members) if !members.is_empty() => Ok(members),
        _ => Err(Error::new(span, "an object of JSON Schema's keywords, such as {\"minLength\": 1}")),
    }
}

const NOT_JSON: &str = "this is not JSON: a string, a number, true, false, null, [..] or {\"..\": ..}";

fn array(input: ParseStream<'_>) -> syn::Result<Value> {
    let values = input.parse_terminated(value, Token![,])?;
    Ok(values.into_iter().collect())
}

fn object(input: ParseStream<'_>) -> syn::Result<Value> {
    let member = |input: ParseStream<'_>| {
        let key: LitStr = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok((key.value(), value(input)?))
    };
    let members = input.parse_terminated(member, Token![,])?;
    Ok(Value::Object(members.into_iter().collect()))
}

fn literal(lit: &Lit) -> syn::Result<Value> {
    match lit {
        Lit::Str(text) => Ok(text.value().into()),
        Lit::Bool(flag) => Ok(flag.value.into()),
        lit => number(lit, ""),
    }
}

fn number(lit: &Lit, sign: &str) -> syn::Result<Value> {
    let digits = match lit {
        Lit::Int(int) => int.base10_digits(),
        Lit::Float(float) => float.base10_digits(),
        other => return Err(Error::new(other.span(), NOT_JSON)),
    };
    serde_json::from_str(&format!("{sign}{digits}")).map_err(|error| Error::new(lit.span(), format!("{error}")))
}

/// The tokens of an attribute's JSON, for tests.
#[cfg(test)]
pub fn of(tokens: proc_macro2::TokenStream) -> syn::Result<Value> {
    value.parse2(tokens)
}
