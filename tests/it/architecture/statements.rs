//! No dead statements: what nothing runs, nothing proves.

use super::{
    assert_none,
    functions::functions,
    paths::mentions,
    source::{Source, outside, sources},
};

/// Statements of the program: public functions of `store` that run on something, as `store::noun::name`.
fn statements(source: &Source) -> Vec<(String, usize)> {
    let Some(noun) =
        source.path.strip_prefix("store/src/").and_then(|file| file.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    let code = &source.production;
    let public = functions(code).into_iter().filter(|f| {
        code[..f.at].trim_end().ends_with("pub async")
            && code[f.at..f.body].contains("sql: &mut impl Sql")
    });
    public.map(|f| (format!("store::{noun}::{}", f.name), f.at)).collect()
}

#[test]
fn every_statement_is_run() {
    let mut dead = Vec::new();
    let mut all = 0;
    for source in sources().iter().filter(|source| source.krate() == "store") {
        for (name, at) in statements(source) {
            all += 1;
            if !outside("store").any(|caller| !mentions(caller, &name).is_empty()) {
                dead.push(format!("{} {name}", source.place(at)));
            }
        }
    }
    assert!(all > 30, "{all} statements were found; correct this test's way of finding them");
    assert_none(
        &dead,
        "no flow runs these statements; remove them, or make those that only `store` needs private:",
    );
}
