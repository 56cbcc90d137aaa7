//! What a route says of itself, from which the documents and the pages under `/docs` are made: see `crate::docs`.
//! [`super::dialect::Route::new`] asks for it, so that a route without words does not compile.

use serde_json::Value;

use super::schema;
use crate::error::Error;

/// An error that a route's handler may answer with, besides those that follow from the route's nature.
pub type Fails = fn() -> Error;

/// The words of one route.
#[derive(Debug, Clone)]
pub struct Doc {
    /// One sentence.
    pub says: &'static str,
    /// What else there is to know.
    pub more: &'static str,
    /// Those of the query and the headers, and those of the path that have words of their own.
    pub parameters: Vec<Parameter>,
    pub body: Option<Content>,
    pub answers: Vec<Given>,
    pub fails: Vec<Fails>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum In {
    Path,
    Query,
    Header,
}

#[derive(Debug, Clone)]
pub struct Parameter {
    pub place: In,
    pub name: &'static str,
    pub schema: Value,
    pub says: &'static str,
    pub is_required: bool,
}

/// A body, of a request or of an answer.
#[derive(Debug, Clone)]
pub struct Content {
    pub kind: &'static str,
    pub schema: Value,
    /// As text, where it is no JSON.
    pub example: Value,
}

#[derive(Debug, Clone)]
pub struct Given {
    pub status: u16,
    /// None: the answer has no body.
    pub content: Option<Content>,
}

pub const JSON: &str = "application/json";

impl Doc {
    pub fn says(says: &'static str) -> Doc {
        Doc { says, more: "", parameters: Vec::new(), body: None, answers: Vec::new(), fails: Vec::new() }
    }

    pub fn more(self, more: &'static str) -> Doc {
        Doc { more, ..self }
    }

    fn parameter(mut self, place: In, name: &'static str, schema: Value, says: &'static str) -> Doc {
        self.parameters.push(Parameter { place, name, schema, says, is_required: place == In::Path });
        self
    }

    pub fn path(self, name: &'static str, schema: Value, says: &'static str) -> Doc {
        self.parameter(In::Path, name, schema, says)
    }

    pub fn query(self, name: &'static str, schema: Value, says: &'static str) -> Doc {
        self.parameter(In::Query, name, schema, says)
    }

    pub fn header(self, name: &'static str, schema: Value, says: &'static str) -> Doc {
        self.parameter(In::Header, name, schema, says)
    }

    /// The parameter that was named last has to be there.
    pub fn required(mut self) -> Doc {
        if let Some(last) = self.parameters.last_mut() {
            last.is_required = true;
        }
        self
    }

    /// A JSON body. Its example is made of those of the schema.
    pub fn takes(self, schema: Value) -> Doc {
        let example = schema::example(&schema);
        Doc { body: Some(Content { kind: JSON, schema, example }), ..self }
    }

    /// A body of another kind.
    pub fn takes_bytes(self, kind: &'static str, example: &str) -> Doc {
        let content = match serde_json::from_str(example) {
            // It is JSON, of which only the handler knows more.
            Ok(example) if kind == JSON => {
                Content { kind, schema: schema::any(example), example: Value::Null }
            }
            _ => Content { kind, schema: schema::bytes(), example: example.into() },
        };
        let content = match content.example.is_null() {
            true => Content { example: schema::example(&content.schema), ..content },
            false => content,
        };
        Doc { body: Some(content), ..self }
    }

    pub fn gives(mut self, status: u16, schema: Value) -> Doc {
        let example = schema::example(&schema);
        self.answers.push(Given { status, content: Some(Content { kind: JSON, schema, example }) });
        self
    }

    pub fn gives_bytes(mut self, status: u16, kind: &'static str, example: &str) -> Doc {
        let content = Content { kind, schema: schema::bytes(), example: example.into() };
        self.answers.push(Given { status, content: Some(content) });
        self
    }

    pub fn gives_nothing(mut self, status: u16) -> Doc {
        self.answers.push(Given { status, content: None });
        self
    }

    /// Errors of the route's own, beside those before.
    pub fn fails(mut self, fails: &[Fails]) -> Doc {
        self.fails.extend(fails);
        self
    }

    /// The parameters of one place.
    pub fn of(&self, place: In) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.place == place)
    }
}

/// The errors that more than one route has.
pub mod fails {
    use super::Error;

    pub fn user() -> Error {
        Error::user_not_found("ann@example.com")
    }

    pub fn project() -> Error {
        Error::ProjectNotFound
    }

    pub fn job() -> Error {
        Error::JobNotFound
    }

    pub fn session() -> Error {
        Error::SessionNotFound
    }

    pub fn suppressed() -> Error {
        Error::Suppressed
    }

    pub fn taken() -> Error {
        Error::IdentifierTaken
    }

    pub fn ambiguous() -> Error {
        Error::Ambiguous("several users have this e-mail address: name one by id".into())
    }

    pub fn held() -> Error {
        Error::Held("this user is under a legal hold, and is not erased before it is released".into())
    }

    pub fn conflict() -> Error {
        Error::Conflict("this is not possible now")
    }
}
