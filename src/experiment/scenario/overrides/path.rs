//! Paths into a document: `workload.classes.chat.weight`, `accounts[0].weight`.

use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Span};
use crate::experiment::scenario::document::{Node, Table, Value};

/// Most steps of a path.
pub(super) const LONGEST: usize = 16;

/// One step of a path.
#[derive(PartialEq, Debug)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

type Steps = Vec<(Step, Span)>;

/// Splits `a.b[0]."c.d"=` into steps; `at` is where the argument stands in its source. Gives the
/// position of the `=`.
pub(super) fn split(argument: &str, at: Span) -> Result<(Steps, usize), (usize, &'static str)> {
    let mut steps = Vec::new();
    let mut rest = argument;
    loop {
        let start = argument.len() - rest.len();
        let (step, length) = one_step(rest).map_err(|label| (start, label))?;
        let span = Span {
            start: at.start + start,
            end: at.start + start + length,
            ..at
        };
        steps.push((step, span));
        rest = &rest[length..];
        match rest.chars().next() {
            Some('=') => return Ok((steps, argument.len() - rest.len())),
            Some('.') => rest = &rest[1..],
            Some('[') => {}
            _ => return Err((start, "there is no `=value`")),
        }
        if steps.len() > LONGEST {
            return Err((0, "the path has too many steps"));
        }
    }
}

/// The first step of a path, and its length in bytes.
fn one_step(text: &str) -> Result<(Step, usize), &'static str> {
    if let Some(inner) = text.strip_prefix('[') {
        let end = inner.find(']').ok_or("`[` is not closed")?;
        let index = inner[..end].trim().parse();
        let index = index.map_err(|_| "not a position: write a number from 0")?;
        return Ok((Step::Index(index), end + 2));
    }
    if let Some(inner) = text.strip_prefix('"') {
        let end = inner.find('"').ok_or("the quoted name is not closed")?;
        return Ok((Step::Key(inner[..end].to_owned()), end + 2));
    }
    let end = text.find(['.', '[', '=']).unwrap_or(text.len());
    if text[..end].trim().is_empty() {
        return Err("a name is missing");
    }
    Ok((Step::Key(text[..end].trim().to_owned()), end))
}

/// A place in the document on the way along a path.
pub(super) enum Place<'d> {
    Table(&'d mut Table),
    Node(&'d mut Node),
}

impl<'d> Place<'d> {
    /// The place one step on; a table is made where there is none.
    pub(super) fn step(self, step: &Step, span: Span) -> Result<Self, Finding> {
        match (self.into_container(span)?, step) {
            (Container::Table(table), Step::Key(key)) => {
                let new = || Node {
                    span,
                    value: Value::Table(Table::default()),
                };
                Ok(Place::Node(table.get_or_insert(key, span, new)))
            }
            (Container::Array(items), step) => {
                let at = element(items, step, span)?;
                Ok(Place::Node(&mut items[at]))
            }
            (Container::Table(_), Step::Index(_)) => Err(no_array(span)),
        }
    }

    /// Gives the place one step on a value.
    pub(super) fn put(self, step: &Step, span: Span, value: Node) -> Result<(), Finding> {
        match (self.into_container(span)?, step) {
            (Container::Table(table), Step::Key(key)) => table.set(key, span, value),
            (Container::Array(items), step) => {
                let at = element(items, step, span)?;
                items[at] = value;
            }
            (Container::Table(_), Step::Index(_)) => return Err(no_array(span)),
        }
        Ok(())
    }

    fn into_container(self, span: Span) -> Result<Container<'d>, Finding> {
        let node = match self {
            Place::Table(table) => return Ok(Container::Table(table)),
            Place::Node(node) => node,
        };
        let kind = node.kind();
        match &mut node.value {
            Value::Table(table) => Ok(Container::Table(table)),
            Value::Array(items) => Ok(Container::Array(items)),
            _ => Err(Finding::error("the path goes on after a plain value")
                .at(span, format!("what stands before this is {kind}"))
                .also(node.span, "namely this")),
        }
    }
}

enum Container<'d> {
    Table(&'d mut Table),
    Array(&'d mut Vec<Node>),
}

fn no_array(span: Span) -> Finding {
    Finding::error("this is a table, not an array").at(span, "name a key instead")
}

/// The position of an element, by number or by its `id` or `name`.
fn element(items: &[Node], step: &Step, span: Span) -> Result<usize, Finding> {
    match step {
        Step::Index(at) if *at < items.len() => Ok(*at),
        Step::Index(_) => {
            let label = format!("there are {}, counted from 0", items.len());
            Err(Finding::error("no such element").at(span, label))
        }
        Step::Key(name) => {
            let names = || items.iter().map(|item| label_of(item).unwrap_or_default());
            names().position(|known| known == name).ok_or_else(|| {
                let known = names().filter(|name| !name.is_empty());
                let (label, help) = decode::suggest("element", name, known);
                let name = decode::shortened(name);
                let finding = Finding::error(format!("no element is called `{name}`"));
                let help = format!("{help}; or give its position, such as `[0]`");
                finding.at(span, label).help(help)
            })
        }
    }
}

/// What an element of an array is called: its `id` or `name`, or a strategy by itself.
fn label_of(item: &Node) -> Option<&str> {
    let Some(table) = item.table() else {
        return item.text();
    };
    let key = ["id", "name", "strategy"]
        .iter()
        .find_map(|key| table.get(key))?;
    key.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(argument: &str) -> Vec<Step> {
        let (steps, _) = split(argument, Span::default()).unwrap();
        steps.into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn paths_are_split() {
        let key = |name: &str| Step::Key(name.into());
        assert_eq!(keys("seed=1"), [key("seed")]);
        assert_eq!(
            keys("a.b[2].c=x=y"),
            [key("a"), key("b"), Step::Index(2), key("c")]
        );
        assert_eq!(
            keys("models.\"m-2.5\".quality=1"),
            [key("models"), key("m-2.5"), key("quality")]
        );
        for bad in [
            "", "=", "a", "a.=1", ".a=1", "a[=1", "a[x]=1", "a[0]b=1", "\"a=1",
        ] {
            assert!(split(bad, Span::default()).is_err(), "{bad}");
        }
    }
}
