//! Recipes: reported by events, and by calls of TTM's route.

use super::facts::{condense, recipe_event};
use super::tables::Tables;
use crate::event::recipe::{Outcome, RecipeEvent};
use crate::projection::timing::fact::Fact;
use crate::projection::timing::keys::Keys;

fn started(at: i64, recipe: &str, run_id: Option<&str>) -> Fact {
    let (recipe, run_id) = (recipe.to_owned(), run_id.map(str::to_owned));
    let (instance_id, message) = ("i".to_owned(), Some("begin".to_owned()));
    recipe_event(at, RecipeEvent::RecipeStarted { instance_id, recipe, run_id, message })
}

fn ended(at: i64, recipe: &str, run_id: Option<&str>) -> Fact {
    let (recipe, run_id) = (recipe.to_owned(), run_id.map(str::to_owned));
    let (instance_id, message) = ("i".to_owned(), Some("done".to_owned()));
    let outcome = Some(Outcome::Success);
    recipe_event(at, RecipeEvent::RecipeEnded { instance_id, recipe, run_id, message, outcome })
}

/// Creates a call of TTM's recipe route.
fn call(at: i64, recipe: Option<&str>) -> Fact {
    let (instance_id, recipe) = ("i".to_owned(), recipe.map(str::to_owned));
    let message = Some(format!("m{at}"));
    recipe_event(at, RecipeEvent::TtmRecipe { instance_id, recipe, message })
}

#[track_caller]
fn gives<const N: usize>(facts: impl IntoIterator<Item = Fact>, expected: [&str; N]) {
    assert_eq!(Tables::of(facts).recipes(), expected);
}

#[test]
fn a_recipe_has_messages_and_an_outcome() {
    gives([started(0, "db", None), ended(9, "db", None)], ["db 0-9 begin done Success"]);
    gives([started(0, "db", None)], ["db 0- begin"]);
    gives([ended(9, "db", None)], ["db -9 done Success"]);
    gives([started(0, "db", None), ended(9, "web", None)], ["db 0- begin", "web -9 done Success"]);
}

#[test]
fn runs_are_paired_by_their_id_and_without_one_by_time() {
    gives(
        [
            started(0, "db", Some("1")),
            started(5, "db", Some("2")),
            ended(8, "db", Some("1")),
            ended(9, "db", Some("2")),
        ],
        ["db 0-8 begin done Success", "db 5-9 begin done Success"],
    );
    gives(
        [
            started(0, "db", None),
            started(5, "db", Some("2")),
            ended(8, "db", None),
            started(20, "db", None),
            ended(25, "db", None),
        ],
        ["db 0- begin", "db 5-8 begin done Success", "db 20-25 begin done Success"],
    );
}

#[test]
fn a_run_that_ends_before_it_starts_took_no_time() {
    gives(
        [ended(5, "db", Some("1")), started(9, "db", Some("1"))],
        ["db 9-5 begin done Success skewed"],
    );
}

#[test]
fn ttms_first_call_starts_a_recipe_and_each_later_one_ends_it() {
    gives([call(0, Some("db"))], ["db 0- m0"]);
    gives([call(0, Some("db")), call(5, Some("db"))], ["db 0-5 m0 m5"]);
    gives([call(0, Some("db")), call(5, Some("db")), call(9, Some("db"))], ["db 0-9 m0 m9"]);
}

#[test]
fn a_call_without_a_name_ends_the_one_open_recipe() {
    gives([call(0, Some("db")), call(5, None)], ["db 0-5 m0 m5"]);
    gives([call(5, None)], []);
    gives([call(0, Some("db")), call(1, Some("web")), call(5, None)], ["db 0- m0", "web 1- m1"]);
    gives(
        [call(0, Some("db")), call(1, Some("web")), call(2, Some("db")), call(5, None)],
        ["db 0-2 m0 m2", "web 1-5 m1 m5"],
    );
    gives([call(0, Some("db")), call(5, None), call(9, None)], ["db 0-5 m0 m5"]);
}

#[test]
fn a_call_that_arrives_late_is_the_first_all_the_same() {
    let mut tables = Tables::of([call(5, Some("db")), call(9, None)]);
    tables.apply(vec![call(1, Some("db"))]);
    assert_eq!(tables.recipes(), ["db 1-5 m1 m5"]);
}

#[test]
fn a_recipe_is_folded_without_the_others_of_its_instance() {
    let facts = [started(1, "db", None)];
    let condensed = condense(facts.to_vec());
    let keys = Keys::of(&condensed);
    assert_eq!((keys.recipes, keys.calls.len()), (vec![("i", "db")], 0));
    let mut tables = Tables::of([started(0, "web", None), call(0, Some("db"))]);
    tables.apply(facts.to_vec());
    tables.apply(vec![ended(2, "db", None), ended(3, "web", None)]);
    let expected = ["web 0-3 begin done Success", "db 0- m0", "db 1-2 begin done Success"];
    let mut found = tables.recipes();
    found.sort_unstable();
    let mut expected = expected.map(str::to_owned);
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn recipes_of_events_and_of_calls_are_kept_apart() {
    let mut tables = Tables::of([call(0, Some("db")), started(1, "db", None)]);
    tables.apply(vec![ended(2, "db", None)]);
    tables.apply(vec![call(3, None)]);
    assert_eq!(tables.recipes(), ["db 0-3 m0 m3", "db 1-2 begin done Success"]);
}
