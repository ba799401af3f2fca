//! No dead statements: a statement that no flow runs is not tested.

use std::ops::Range;

use syn::{FnArg, Item, Visibility, spanned::Spanned};

use super::{
    assert_none,
    source::{Source, sources, sources_outside},
};

/// Statements of the program: public functions of `store` that take `sql`, as `store::noun::name`.
fn statements(source: &Source) -> Vec<(String, Range<usize>)> {
    let is_sql = |argument: &FnArg| {
        argument.span().source_text().is_some_and(|text| text == "sql: &mut impl Sql")
    };
    let mut found = Vec::new();
    for item in source.items() {
        let Item::Fn(item) = item else { continue };
        let public = matches!(item.vis, Visibility::Public(_)) && item.sig.asyncness.is_some();
        let at = item.span().byte_range();
        if public && item.sig.inputs.iter().any(is_sql) && !source.is_test(&at) {
            found.push((format!("{}::{}", source.facts.modules[0], item.sig.ident), at));
        }
    }
    found
}

#[test]
fn statement_is_run_by_flow() {
    let mut dead = Vec::new();
    let mut all = 0;
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (name, at) in statements(source) {
            all += 1;
            if !sources_outside("store").any(|caller| caller.mentions(&name).next().is_some()) {
                dead.push(format!("{} {name}", source.location(&at)));
            }
        }
    }
    assert!(all > 30, "{all} statements were found; correct how this test finds them");
    assert_none(
        &dead,
        "no flow runs these statements; remove them, or make those that only `store` needs private:",
    );
}
