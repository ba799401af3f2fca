//! JSON whose objects name each member once: of two with one name, parsers keep either (RFC 8259, section 4).

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// A JSON value, and the members that are there twice, each as a path such as `address.country`.
pub(super) struct ParsedJson {
    pub(super) value: Value,
    pub(super) repeated: Vec<String>,
}

/// Parses JSON, with its repeated members.
pub(super) fn parse(json: &str) -> serde_json::Result<ParsedJson> {
    let mut repeated = Vec::new();
    let mut parser = serde_json::Deserializer::from_str(json);
    let value = Node { path: "", repeated: &mut repeated }.deserialize(&mut parser)?;
    parser.end()?;
    Ok(ParsedJson { value, repeated })
}

/// The next value, at a path.
struct Node<'a> {
    path: &'a str,
    repeated: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = match self.path {
                "" => name.clone(),
                outer => format!("{outer}.{name}"),
            };
            let value = map.next_value_seed(Node { path: &path, repeated: &mut *self.repeated })?;
            if members.insert(name, value).is_some() && !self.repeated.contains(&path) {
                self.repeated.push(path);
            }
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) =
            list.next_element_seed(Node { path: self.path, repeated: &mut *self.repeated })?
        {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_members_are_named_once() {
        let json = r#"{"a": 1, "b": {"c": [1.5, -2, true, null, "x"], "c": 2}, "a": 3, "a": 4}"#;
        assert_eq!(parse(json).unwrap().repeated, ["b.c", "a"]);
        let distinct = r#"{"a": {"b": [1.5, -2, 3, true, null, "\u0101"]}, "b": {"b": 1}}"#;
        let parsed = parse(distinct).unwrap();
        assert!(parsed.repeated.is_empty());
        assert_eq!(parsed.value, serde_json::from_str::<Value>(distinct).unwrap());
        assert!(parse("{} {}").is_err() && parse("{").is_err());
    }
}
