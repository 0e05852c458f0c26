//! The arrows of the architecture: which layer may name which.

use super::{Finding, Source};

/// The layer that knows nothing of ours. Its modules may name one another.
const VOCABULARY: [&str; 8] = [
    "time",
    "rng",
    "exp",
    "distribution",
    "units",
    "request",
    "record",
    "histogram",
];

/// Every other layer: its module, and what it may name beside itself and the vocabulary.
const LAYERS: [(&str, &[&str]); 9] = [
    ("routing", &[]),
    ("workload", &[]),
    ("upstream", &[]),
    ("stats", &[]),
    ("sim", &["routing", "workload", "upstream"]),
    ("live", &["routing", "workload", "upstream"]),
    // The parser makes the valid types of the lower layers; metrics are derived from what the
    // gateway counts. It needs no more of them.
    (
        "experiment",
        &[
            "sim",
            "stats",
            "routing::account",
            "routing::config",
            "routing::statistics",
            "workload::config",
            "workload::trace",
            "upstream::config",
        ],
    ),
    (
        "report",
        &[
            "stats",
            "experiment::results",
            "experiment::campaign",
            "experiment::claim",
            "experiment::verdict",
            "experiment::gallery",
            "experiment::metric",
            "experiment::sweep",
            "experiment::ablation",
            "experiment::compare",
            "experiment::decision",
            "experiment::parity",
            "experiment::throughput",
            "experiment::validation",
            "experiment::warmup",
        ],
    ),
    (
        "cli",
        &[
            "routing",
            "workload",
            "upstream",
            "stats",
            "sim",
            "live",
            "experiment",
            "report",
        ],
    ),
];

/// Single files that may name more: the file, and what.
const EXCEPTIONS: [(&str, &str); 2] = [
    // The one place where the file of a gateway becomes what the live server takes.
    ("src/experiment/gateway_file.rs", "live"),
    // The one place where a scenario is handed to the live proxy.
    ("src/experiment/live.rs", "live"),
];

/// Paths to a layer that the file's own layer must not know, written as `crate::` or by climbing
/// with `super::`.
pub(super) fn forbidden_edges(source: &Source) -> Vec<Finding> {
    let own = module_path(&source.file);
    let Some(layer) = own.first() else {
        // The crate root is the map of all.
        return Vec::new();
    };
    if !is_known(layer) {
        let message = format!("`{layer}` has no layer; {CHANGE_THE_TABLE}");
        return vec![source.on(1, message)];
    }
    crate_paths(source, &own)
        .into_iter()
        .filter(|(_, path)| !allowed(layer, &source.file, path))
        .map(|(at, path)| {
            let message = format!(
                "`{layer}` must not know `crate::{path}`; pass in what is needed, or move it to \
                 the vocabulary; {CHANGE_THE_TABLE}"
            );
            source.at(at, message)
        })
        .collect()
}

const CHANGE_THE_TABLE: &str =
    "a change of the design goes into ARCHITECTURE.md and tests/it/tidy/layers.rs";

fn is_known(layer: &str) -> bool {
    layer == "main" || VOCABULARY.contains(&layer) || LAYERS.iter().any(|(name, _)| *name == layer)
}

fn allowed(layer: &str, file: &str, path: &str) -> bool {
    let target = path.split("::").next().unwrap_or_default();
    if target == layer || VOCABULARY.contains(&target) || is_macro(target) {
        return true;
    }
    let row = LAYERS.iter().find(|(name, _)| *name == layer);
    let listed = row.is_some_and(|(_, known)| known.iter().any(|known| within(path, known)));
    listed || EXCEPTIONS.contains(&(file, target))
}

/// Macros stand at the crate root, whichever layer they belong to.
fn is_macro(target: &str) -> bool {
    target.ends_with('!')
}

/// Whether a path is `module`, or lies in it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The module that a file holds: `src/routing/config.rs` is `routing::config`; the crate root is
/// empty.
fn module_path(file: &str) -> Vec<&str> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    let path = inside.strip_suffix(".rs").unwrap_or(inside);
    path.split('/').filter(|part| *part != "lib").collect()
}

/// Every path from the crate root that the code writes, with its offset.
fn crate_paths(source: &Source, own: &[&str]) -> Vec<(usize, String)> {
    let code = &source.code;
    let mut paths = Vec::new();
    for (at, _) in starts(code, "crate::") {
        let after = &code[at + "crate::".len()..];
        paths.extend(expand(after).into_iter().map(|path| (at, path)));
    }
    for (at, before) in starts(code, "super::") {
        if before.ends_with("super::") {
            continue;
        }
        let (climbed, after) = climb(&code[at..]);
        let depth = own.len() + inline_modules(before);
        if climbed >= depth {
            paths.extend(expand(after).into_iter().map(|path| (at, path)));
        }
    }
    paths.sort_unstable();
    paths
}

/// Where `word` begins a path: its offset, and all that stands before.
fn starts<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(word).filter_map(|(at, _)| {
        let before = &code[..at];
        let inside_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        (!inside_word).then_some((at, before))
    })
}

/// How many `super::` stand at the start, and what follows them.
fn climb(mut path: &str) -> (usize, &str) {
    let mut count = 0;
    while let Some(rest) = path.strip_prefix("super::") {
        (count, path) = (count + 1, rest);
    }
    (count, path)
}

/// How many `mod name {` are open at the end of `before`.
fn inline_modules(before: &str) -> usize {
    let mut open = Vec::new();
    for (at, byte) in before.bytes().enumerate() {
        match byte {
            b'{' => {
                let mut words = before[..at].split_whitespace().rev();
                open.push(words.nth(1) == Some("mod"));
            }
            b'}' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().filter(|is_module| *is_module).count()
}

/// The paths at the start of `code`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(code: &str) -> Vec<String> {
    let code = code.trim_start();
    if let Some(group) = code.strip_prefix('{') {
        return members(group).into_iter().flat_map(expand).collect();
    }
    let end = code.find(|c: char| !(c.is_alphanumeric() || "_*!".contains(c)));
    let (name, rest) = code.split_at(end.unwrap_or(code.len()));
    if name.is_empty() {
        return Vec::new();
    }
    match rest.strip_prefix("::") {
        Some(after) if !after.starts_with('<') => {
            let deeper = expand(after).into_iter();
            deeper.map(|path| format!("{name}::{path}")).collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in group.bytes().enumerate() {
        let closing = byte == b'}' && depth == 0;
        if closing || (byte == b',' && depth == 0) {
            members.push(group[start..at].trim());
            start = at + 1;
        }
        match byte {
            _ if closing => break,
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::super::{NOTHING, lines_found};
    use super::*;

    fn found(file: &str, text: &str) -> Vec<usize> {
        lines_found(file, text, forbidden_edges)
    }

    #[test]
    fn arrows_point_down_only() {
        let names = LAYERS.map(|(name, _)| name);
        for (from, known) in LAYERS {
            for to in names.into_iter().chain(VOCABULARY) {
                let text = format!("use crate::{to}::anything::Thing;\n");
                let may = from == to || known.contains(&to) || VOCABULARY.contains(&to);
                let expected = if may { vec![] } else { vec![1] };
                assert_eq!(
                    found(&format!("src/{from}/x.rs"), &text),
                    expected,
                    "{from} {to}"
                );
                assert_eq!(
                    found(&format!("src/{from}.rs"), &text),
                    expected,
                    "{from} {to}"
                );
            }
        }
        for to in names {
            let text = format!("use crate::{to};\n");
            assert_eq!(found("src/time.rs", &text), [1], "{to}");
        }
    }

    #[test]
    fn parts_of_a_layer_can_be_allowed() {
        let text = "use crate::routing::config::RoutingConfig;\nuse crate::routing::account;\n\
                    use crate::routing::balancer::Balancer;\nuse crate::routing::configuration;\n\
                    use crate::routing;\n";
        assert_eq!(found("src/experiment/scenario.rs", text), [3, 4, 5]);
        let live = "use crate::live::Proxy;\n";
        assert_eq!(found("src/experiment/run.rs", live), [1]);
        assert_eq!(found("src/experiment/live.rs", live), NOTHING);
    }

    #[test]
    fn every_spelling_of_an_edge_is_seen() {
        for text in [
            "use crate::sim::Engine;",
            "use crate::{time::Duration, sim::Engine};",
            "use crate::{\n    time::{Duration, Timestamp},\n    sim::{self, Engine},\n};",
            "pub(crate) use crate::sim;",
            "let x = crate::sim::run(3);",
            "let x: Vec<crate::sim::Engine> = vec![];",
            "use super::super::sim::Engine;",
            "use super::super::{time, sim};",
            "use crate::*;",
            "mod tests {\n    use super::super::super::sim::Engine;\n}",
        ] {
            assert!(!found("src/routing/x.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn harmless_paths_are_left_alone() {
        for text in [
            "use super::sim::Engine;",
            "use crate::routing::sim;",
            "use crate::time::sim;",
            "// use crate::sim;",
            "let x = \"crate::sim\";",
            "use other_crate::sim;",
            "mod tests {\n    use super::super::sim;\n}",
            "struct A { b: u8 }\nmod tests {\n    use super::super::x;\n}",
        ] {
            assert_eq!(found("src/routing/x.rs", text), NOTHING, "{text}");
        }
        assert_eq!(found("src/lib.rs", "use crate::sim;"), NOTHING);
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        assert_eq!(found("src/helpers.rs", ""), [1]);
        assert_eq!(found("src/helpers/x.rs", ""), [1]);
    }
}
