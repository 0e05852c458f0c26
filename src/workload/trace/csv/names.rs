//! The names that rows refer to, and what to say of those that nobody defined.

use crate::workload::trace::error::quoted;

/// Names that the scenario defines, each at the position of its index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Of the classes of the workload.
    pub classes: &'a [String],
    /// Of the models.
    pub models: &'a [String],
    /// Of the regions.
    pub regions: &'a [String],
}

impl Names<'_> {
    /// The index of a class.
    pub(super) fn class(&self, name: &str) -> Result<u16, String> {
        index("class", name, self.classes)
    }

    /// The index of a model.
    pub(super) fn model(&self, name: &str) -> Result<u16, String> {
        index("model", name, self.models)
    }

    /// The index of a region.
    pub(super) fn region(&self, name: &str) -> Result<u16, String> {
        index("region", name, self.regions)
    }
}

fn index(what: &str, name: &str, names: &[String]) -> Result<u16, String> {
    let found = names.iter().position(|known| known == name);
    found.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
        if names.is_empty() {
            return format!("unknown {what} {}; the scenario defines none", quoted(name));
        }
        let hint = suggestion(name, names.iter().map(String::as_str));
        format!("unknown {what} {}; {hint}", quoted(name))
    })
}

/// One of a list of words.
pub fn word<T: Copy>(
    what: &str,
    text: &str,
    words: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = words.iter().copied().find(|word| name(*word) == text);
    found.ok_or_else(|| {
        let hint = suggestion(text, words.iter().map(|word| name(*word)));
        format!("unknown {what} {}; {hint}", quoted(text))
    })
}

/// The nearest known name, where one is near, and all of them.
pub fn suggestion<'n>(name: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    const MOST_SHOWN: usize = 30;
    let near = nearest(name, known.clone());
    let near = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
    let shown: Vec<&str> = known.clone().take(MOST_SHOWN).collect();
    let more = if known.count() > MOST_SHOWN {
        ", ..."
    } else {
        ""
    };
    format!("{near}known: {}{more}", shown.join(", "))
}

/// The known name that was probably meant: at most a third of it differs.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const LONGEST: usize = 100;
    let plain = |text: &str| text.trim().to_lowercase().replace(['-', ' ', '.'], "_");
    let wanted = plain(name);
    let near = known.filter(|known| known.len().max(name.len()) <= LONGEST);
    near.map(|known| (strsim::damerau_levenshtein(&wanted, &plain(known)), known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= name.len().max(known.len()).div_ceil(3))
        .map(|(_, known)| known)
}
