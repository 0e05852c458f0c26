//! Reading the fields of a client's request, each error naming its field.

use super::{ClientError, ErrorKind};
use serde_json::{Map, Value};

/// A field of a request, or something within: its name as the client writes it, and its value.
/// What is `null` counts as not there, as the clients' libraries have it.
#[derive(Clone)]
pub(super) struct Field<'a> {
    /// Its name: `messages.0.content`.
    pub name: String,
    /// `None` where it is not there.
    pub value: Option<&'a Value>,
}

type Result<T> = std::result::Result<T, ClientError>;

impl<'a> Field<'a> {
    /// A field of the request.
    pub fn of(body: &'a Map<String, Value>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: body.get(name).filter(|value| !value.is_null()),
        }
    }

    /// A field of the object that this one is.
    pub fn field(&self, name: &str) -> Result<Self> {
        let Some(Value::Object(object)) = self.value else {
            return Err(self.wrong("must be an object"));
        };
        let inner = Field::of(object, name);
        Ok(Self {
            name: format!("{}.{name}", self.name),
            value: inner.value,
        })
    }

    /// The items of the list that this one is.
    pub fn items(&self) -> Result<Vec<Self>> {
        let Some(Value::Array(items)) = self.value else {
            return Err(self.wrong("must be a list"));
        };
        let item = |(at, value)| Self {
            name: format!("{}.{at}", self.name),
            value: Some(value),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// A string, or nothing.
    pub fn text(&self) -> Result<Option<&'a str>> {
        match self.value {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong("must be a string")),
        }
    }

    /// A value that must be there.
    pub fn required<T>(&self, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.wrong("is required"))
    }

    /// A string that must be there.
    pub fn required_text(&self) -> Result<&'a str> {
        self.required(self.text()?)
    }

    /// True or false; false where it is not there.
    pub fn flag(&self) -> Result<bool> {
        match self.value {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong("must be true or false")),
        }
    }

    /// A number from `low` to `high`.
    pub fn number(&self, low: f64, high: f64) -> Result<Option<f64>> {
        let Some(value) = self.value else {
            return Ok(None);
        };
        let number = value.as_f64().filter(|x| (low..=high).contains(x));
        let Some(number) = number else {
            return Err(self.wrong(&format!("must be a number from {low} to {high}")));
        };
        Ok(Some(number))
    }

    /// A whole number of at least 1.
    pub fn count(&self) -> Result<Option<u32>> {
        let Some(value) = self.value else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
        match count.filter(|count| *count >= 1) {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong("must be a whole number of at least 1")),
        }
    }

    /// A list of strings; a single string stands for a list of one.
    pub fn texts(&self) -> Result<Vec<String>> {
        match self.value {
            None => Ok(vec![]),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(_) => {
                let items = self.items()?;
                let text = |item: &Self| Ok(item.required_text()?.to_owned());
                items.iter().map(text).collect()
            }
        }
    }

    /// That this field is wrong, and what would be right.
    pub fn wrong(&self, what: &str) -> ClientError {
        ClientError {
            field: Some(self.name.clone()),
            ..ClientError::new(ErrorKind::InvalidRequest, format!("{}: {what}", self.name))
        }
    }
}
