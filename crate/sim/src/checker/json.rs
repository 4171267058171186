//! Just enough JSON for one flat object on one line.

use std::collections::BTreeMap;

/// What a field may be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(String),
}

/// Reads `{"name":value,…}`; no arrays, and no objects inside.
///
/// # Errors
/// What is wrong with it, in words.
pub fn object(line: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut reader = Reader { rest: line };
    let mut fields = BTreeMap::new();
    reader.expect('{')?;
    if !reader.accept('}') {
        loop {
            let name = reader.text()?;
            reader.expect(':')?;
            let value = reader.value()?;
            if fields.insert(name.clone(), value).is_some() {
                return Err(format!("{name:?} stands there twice"));
            }
            if reader.accept('}') {
                break;
            }
            reader.expect(',')?;
        }
    }
    match reader.rest.trim_start() {
        "" => Ok(fields),
        rest => Err(format!("after the object stands {rest:?}")),
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn accept(&mut self, wanted: char) -> bool {
        self.rest = self.rest.trim_start();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.accept(wanted) {
            return Ok(());
        }
        Err(format!("{wanted:?} is missing before {:?}", self.rest))
    }

    fn value(&mut self) -> Result<Value, String> {
        self.rest = self.rest.trim_start();
        let words = [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
        ];
        for (word, value) in words {
            if let Some(rest) = self.rest.strip_prefix(word) {
                self.rest = rest;
                return Ok(value);
            }
        }
        if self.rest.starts_with('"') {
            return self.text().map(Value::Text);
        }
        let is_part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let value = number.parse::<f64>().ok().filter(|value| value.is_finite());
        let value = value.ok_or_else(|| format!("no value at {:?}", self.rest))?;
        self.rest = rest;
        Ok(Value::Number(value))
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => text.push(escaped(&mut chars)?),
                Some(c) => text.push(c),
                None => return Err("a string does not end".to_owned()),
            }
        }
        self.rest = chars.as_str();
        Ok(text)
    }
}

fn escaped(chars: &mut core::str::Chars<'_>) -> Result<char, String> {
    Ok(match chars.next() {
        Some(c @ ('"' | '\\' | '/')) => c,
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => {
            let first = unit(chars)?;
            let pair = [
                first,
                if first & 0xfc00 == 0xd800 {
                    low(chars)?
                } else {
                    0
                },
            ];
            let units = &pair[..if pair[1] == 0 { 1 } else { 2 }];
            let mut read = char::decode_utf16(units.iter().copied());
            let c = read.next().and_then(Result::ok);
            c.ok_or_else(|| format!("\\u{first:04x} is no character"))?
        }
        other => return Err(format!("{other:?} cannot follow a backslash")),
    })
}

fn low(chars: &mut core::str::Chars<'_>) -> Result<u16, String> {
    match (chars.next(), chars.next()) {
        (Some('\\'), Some('u')) => unit(chars),
        _ => Err("half a surrogate pair".to_owned()),
    }
}

fn unit(chars: &mut core::str::Chars<'_>) -> Result<u16, String> {
    let digits: String = chars.take(4).collect();
    if digits.len() != 4 || digits.starts_with('+') {
        return Err(format!("\\u{digits} has not four digits"));
    }
    u16::from_str_radix(&digits, 16).map_err(|_| format!("\\u{digits} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_objects_are_read() {
        let text =
            r#" { "a" : null, "b":true,"c":false , "d":-1.5e2,"e":"x\n\"\u00e4\ud83d\ude00/" } "#;
        let read: Vec<_> = object(text).unwrap().into_values().collect();
        let expected = [
            Value::Null,
            Value::Bool(true),
            Value::Bool(false),
            Value::Number(-150.0),
            Value::Text("x\n\"ä😀/".to_owned()),
        ];
        assert_eq!(read, expected);
        assert_eq!(object("{}"), Ok(BTreeMap::new()));
    }

    #[test]
    fn everything_else_is_refused() {
        let bad = [
            "",
            "{",
            "[]",
            "{}x",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":[1]}",
            "{\"a\":{}}",
            "{\"a\":1e999}",
            "{\"a\":nan}",
            "{\"a\":\"x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\ud800\\u0041\"}",
            "{\"a\":\"\\u+123\"}",
            "{'a':1}",
        ];
        for text in bad {
            assert!(object(text).is_err(), "{text}");
        }
    }
}
