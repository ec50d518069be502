//! What is sent.

/// A piece of what is sent: the host puts an event's data in.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Bytes(Vec<u8>),
    /// The data of the event with this index, exact.
    Data(u32),
    /// The same in base64.
    DataBase64(u32),
}

/// Asks for TLS before anything else is said.
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Protocol 3.0.
const VERSION: u32 = 196_608;
/// All parameters and results of a statement in the same format.
const TEXT: u16 = 0;
const BINARY: u16 = 1;

/// Says who comes, and to which database. Names and values have no NUL.
pub fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = VERSION.to_be_bytes().to_vec();
    for (name, value) in parameters {
        push_text(&mut body, name);
        push_text(&mut body, value);
    }
    body.push(0);
    let mut out = Vec::with_capacity(body.len() + 4);
    push_length(&mut out, body.len() + 4);
    out.extend(body);
    out
}

/// Chooses a SASL mechanism, and sends the client's first message.
pub fn sasl_initial(mechanism: &str, first: &[u8]) -> Vec<u8> {
    message(b'p', |body| {
        push_text(body, mechanism);
        push_length(body, first.len());
        body.extend_from_slice(first);
    })
}

/// The client's final message.
pub fn sasl_response(response: &[u8]) -> Vec<u8> {
    message(b'p', |body| body.extend_from_slice(response))
}

/// What answers `AuthenticationMD5Password`.
pub fn md5_response(response: &[u8]) -> Vec<u8> {
    message(b'p', |body| {
        body.extend_from_slice(response);
        body.push(0);
    })
}

/// A simple query, for statements without parameters.
pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', |body| push_text(body, sql))
}

/// Parse, Bind and Execute of the unnamed statement: nothing stays at the server, so a pooler may stand in between.
/// The answer is in text.
pub fn statement(out: &mut Vec<Piece>, sql: &str, parameters: Vec<Parameter>) {
    let mut head = message(b'P', |body| {
        body.push(0);
        push_text(body, sql);
        push_count(body, 0);
    });
    let values: usize = parameters.iter().map(|parameter| 4 + parameter.len()).sum();
    let count = parameters.len();
    // Two names, one format for all parameters, their count, themselves, one format for all results.
    let bind = 2 + 4 + 2 + values + 4;
    head.push(b'B');
    push_length(&mut head, bind + 4);
    head.extend([0, 0]);
    push_count(&mut head, 1);
    head.extend(BINARY.to_be_bytes());
    push_count(&mut head, count);
    push_bytes(out, &head);
    for parameter in parameters {
        let mut length = Vec::with_capacity(4);
        push_length(&mut length, parameter.len());
        push_bytes(out, &length);
        for piece in parameter.pieces {
            push(out, piece);
        }
    }
    let mut tail = Vec::new();
    push_count(&mut tail, 1);
    tail.extend(TEXT.to_be_bytes());
    // The unnamed portal, all rows.
    tail.extend(message(b'E', |body| body.extend([0, 0, 0, 0, 0])));
    push_bytes(out, &tail);
}

/// Ends a pipeline: the server answers ReadyForQuery, and after an error has skipped everything up to here.
pub const SYNC: [u8; 5] = [b'S', 0, 0, 0, 4];

/// Says goodbye.
pub const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// One parameter in binary: pieces, and how many bytes they will be.
#[derive(Debug, Default)]
pub struct Parameter {
    pieces: Vec<Piece>,
    len: usize,
}

impl Parameter {
    /// A `text`.
    pub fn text(text: &str) -> Self {
        Self { pieces: vec![Piece::Bytes(text.as_bytes().to_vec())], len: text.len() }
    }

    /// Bytes in it once it is sent.
    pub const fn len(&self) -> usize {
        self.len
    }

    fn own(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        push_bytes(&mut self.pieces, bytes);
    }
}

/// Element types of arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Text,
    Jsonb,
}

impl Element {
    /// As in `pg_type.dat`; these never change.
    const fn oid(self) -> u32 {
        match self {
            Self::Text => 25,
            Self::Jsonb => 3802,
        }
    }
}

/// An array in binary, as `array_recv` reads it: dimensions, whether it has nulls, the element type, size and lower bound,
/// then each element with its length.
pub struct Array {
    parameter: Parameter,
    element: Element,
}

/// The version byte that a binary `jsonb` begins with; text follows.
const JSONB_VERSION: u8 = 1;

impl Array {
    /// Of so many elements; as many have to be pushed.
    pub fn new(element: Element, count: usize) -> Self {
        let mut head = Vec::with_capacity(20);
        push_length(&mut head, usize::from(count > 0));
        push_length(&mut head, 1);
        head.extend(element.oid().to_be_bytes());
        if count > 0 {
            push_length(&mut head, count);
            push_length(&mut head, 1);
        }
        let mut parameter = Parameter::default();
        parameter.own(&head);
        Self { parameter, element }
    }

    pub fn push_null(&mut self) {
        self.parameter.own(&[0xff; 4]);
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.head(bytes.len());
        self.parameter.own(bytes);
    }

    /// The data of the event with this index, which has so many bytes.
    pub fn push_data(&mut self, (index, bytes): (u32, usize)) {
        self.head(bytes);
        self.parameter.len += bytes;
        self.parameter.pieces.push(Piece::Data(index));
    }

    /// `before`, the data of this event in base64, `after`.
    pub fn push_base64(&mut self, before: &[u8], (index, bytes): (u32, usize), after: &[u8]) {
        let encoded = bytes.div_ceil(3) * 4;
        self.head(before.len() + encoded + after.len());
        self.parameter.own(before);
        self.parameter.len += encoded;
        self.parameter.pieces.push(Piece::DataBase64(index));
        self.parameter.own(after);
    }

    pub fn finish(self) -> Parameter {
        self.parameter
    }

    fn head(&mut self, bytes: usize) {
        let mut head = Vec::with_capacity(5);
        match self.element {
            Element::Text => push_length(&mut head, bytes),
            Element::Jsonb => {
                push_length(&mut head, bytes + 1);
                head.push(JSONB_VERSION);
            }
        }
        self.parameter.own(&head);
    }
}

/// Own bytes that follow each other are one piece.
pub fn push_bytes(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Bytes(last)) => last.extend_from_slice(bytes),
        _ => pieces.push(Piece::Bytes(bytes.to_vec())),
    }
}

fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    match piece {
        Piece::Bytes(bytes) => push_bytes(pieces, &bytes),
        data => pieces.push(data),
    }
}

/// A type byte, the length with its own four bytes, and a body.
fn message(kind: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = Vec::new();
    write(&mut body);
    let mut out = Vec::with_capacity(body.len() + 5);
    out.push(kind);
    push_length(&mut out, body.len() + 4);
    out.extend(body);
    out
}

/// A length or count of 32 bits. A call has far fewer bytes: the host bounds it.
fn push_length(to: &mut Vec<u8>, length: usize) {
    to.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn push_count(to: &mut Vec<u8>, count: usize) {
    to.extend(u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

/// A NUL would end it early: what a configuration cannot have, and what is cut off here.
fn push_text(to: &mut Vec<u8>, text: &str) {
    to.extend(text.bytes().take_while(|byte| *byte != 0));
    to.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_startup_message_is_as_the_manual_has_it() {
        let sent = startup(&[("user", "app"), ("database", "d\0x")]);
        assert_eq!(sent, b"\0\0\0\x1d\0\x03\0\0user\0app\0database\0d\0\0".as_slice());
        assert_eq!(sent.len(), 0x1d);
    }

    #[test]
    fn sasl_and_simple_messages_tell_their_lengths() {
        assert_eq!(sasl_initial("M", b"n,,x"), b"p\0\0\0\x0eM\0\0\0\0\x04n,,x");
        assert_eq!(sasl_response(b"c=x"), b"p\0\0\0\x07c=x");
        assert_eq!(md5_response(b"md5x"), b"p\0\0\0\x09md5x\0");
        assert_eq!(query("COMMIT"), b"Q\0\0\0\x0bCOMMIT\0");
    }

    #[test]
    fn a_statement_holds_event_data_between_its_own_bytes() {
        let mut array = Array::new(Element::Jsonb, 2);
        array.push_data((7, 3));
        array.push_null();
        let mut out = Vec::new();
        statement(&mut out, "X", vec![array.finish(), Parameter::text("t")]);
        let [Piece::Bytes(head), Piece::Data(7), Piece::Bytes(tail)] = out.as_slice() else { panic!("{out:?}") };
        let array_len = 20 + 5 + 3 + 4;
        let bind_len = 4 + 2 + 4 + 2 + (4 + array_len) + (4 + 1) + 4;
        let mut expected = b"P\0\0\0\x09\0X\0\0\0B\0\0\0".to_vec();
        expected.push(bind_len);
        expected.extend(b"\0\0\0\x01\0\x01\0\x02\0\0\0");
        expected.push(array_len);
        expected.extend(b"\0\0\0\x01\0\0\0\x01\0\0\x0e\xda\0\0\0\x02\0\0\0\x01\0\0\0\x04\x01");
        assert_eq!(head, &expected);
        assert_eq!(tail, b"\xff\xff\xff\xff\0\0\0\x01t\0\x01\0\0E\0\0\0\x09\0\0\0\0\0");
    }

    #[test]
    fn lengths_count_base64_as_it_will_be() {
        for (bytes, encoded) in [(0, 0), (1, 4), (3, 4), (4, 8)] {
            let mut array = Array::new(Element::Jsonb, 1);
            array.push_base64(b"<", (0, bytes), b">");
            assert_eq!(array.finish().len(), 20 + 5 + encoded + 2);
        }
        assert_eq!(Array::new(Element::Text, 0).finish().len(), 12);
    }
}
