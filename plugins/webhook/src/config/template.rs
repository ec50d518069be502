//! Texts with words in braces, of which custom signatures are made.

/// A word that a template may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Seconds since 1970, when the request leaves.
    Timestamp,
    /// The whole body.
    Body,
    /// What `webhook-id` holds.
    Id,
    /// One signature.
    Signature,
    /// All signatures, each in its form, joined.
    Signatures,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Word(Word),
}

impl Word {
    const fn name(self) -> &'static str {
        match self {
            Self::Timestamp => "{timestamp}",
            Self::Body => "{body}",
            Self::Id => "{id}",
            Self::Signature => "{signature}",
            Self::Signatures => "{signatures}",
        }
    }
}

/// Takes a template apart. Braces stand for nothing but the words that it may use.
///
/// # Errors
/// What its owner should write instead.
pub fn parse(template: &str, known: &[Word]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(start) = rest.find(['{', '}']) {
        let (text, tail) = rest.split_at(start);
        let Some(word) = known.iter().find(|word| tail.starts_with(word.name())) else {
            let names: Vec<_> = known.iter().map(|word| word.name()).collect();
            return Err(format!("in braces it knows {} only", names.join(", ")));
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(Piece::Word(*word));
        rest = tail.get(word.name().len()..).unwrap_or_default();
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// What stands before a word that a template ends with and has once.
///
/// # Errors
/// As [`parse`]; or the word is not there once, at the end: nothing can be written after signatures.
pub fn before(template: &str, last: Word, known: &[Word]) -> Result<Vec<Piece>, String> {
    let all: Vec<Word> = known.iter().copied().chain([last]).collect();
    let mut pieces = parse(template, &all)?;
    let ends = pieces.pop() == Some(Piece::Word(last));
    if ends && !pieces.contains(&Piece::Word(last)) { Ok(pieces) } else { Err(format!("it ends with {}", last.name())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_texts_come_in_order() {
        let pieces = parse("{timestamp}.{body}", &[Word::Timestamp, Word::Body]).unwrap();
        assert_eq!(pieces, [Piece::Word(Word::Timestamp), Piece::Text(".".into()), Piece::Word(Word::Body)]);
        assert_eq!(parse("", &[]).unwrap(), []);
        assert_eq!(parse("é", &[]).unwrap(), [Piece::Text("é".into())]);
    }

    #[test]
    fn unknown_words_and_loose_braces_are_refused() {
        for wrong in ["{secret}", "{", "}", "{{body}}", "{body", "{Body}", "a}b"] {
            let error = parse(wrong, &[Word::Body]).unwrap_err();
            assert_eq!(error, "in braces it knows {body} only", "{wrong}");
        }
    }

    #[test]
    fn nothing_stands_after_the_signatures() {
        let before = |template| before(template, Word::Signatures, &[Word::Timestamp]);
        assert_eq!(before("{signatures}").unwrap(), []);
        assert_eq!(before("t={timestamp},{signatures}").unwrap().len(), 3);
        for wrong in ["", "{timestamp}", "{signatures} ", "{signatures}{signatures}"] {
            assert_eq!(before(wrong).unwrap_err(), "it ends with {signatures}", "{wrong}");
        }
    }
}
