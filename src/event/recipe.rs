//! Events of family `recipe`: `recipe.*`, `build.*`, `bootstrap.*`, and the neutral `ttm.*` events
//! that TTM's own routes append.

/// Outcome of a recipe or a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
}

/// What an event of family `recipe` says. Texts that are `""` or `null` are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the contract's, by the same names")]
pub enum RecipeEvent {
    BuildStarted {
        instance_id: String,
        instance_name: Option<String>,
        deployment_id: Option<String>,
    },
    BootstrapStarted {
        instance_id: String,
    },
    RecipeStarted {
        instance_id: String,
        recipe: String,
        run_id: Option<String>,
        message: Option<String>,
    },
    RecipeEnded {
        instance_id: String,
        recipe: String,
        run_id: Option<String>,
        message: Option<String>,
        outcome: Option<Outcome>,
    },
    BuildEnded {
        instance_id: String,
        instance_name: Option<String>,
        outcome: Option<Outcome>,
    },
    /// `GET …/time/now` was called; whether it began the build or the bootstrap is the projection's to say.
    TtmTimeNow {
        instance_id: String,
    },
    /// `POST …/recipe[/NAME]` was called; `recipe` is `None` for the form without a name.
    TtmRecipe {
        instance_id: String,
        recipe: Option<String>,
        message: Option<String>,
    },
    /// `POST …/metrics` was called. `end_time` is the text as sent (`""` means not ended yet).
    TtmMetrics {
        instance_id: String,
        instance_name: Option<String>,
        end_time: Option<String>,
    },
}

/// Reads the `data` of an event of family `recipe`. `None` for a kind that is not known.
///
/// # Errors
///
/// One sentence naming the field that is missing or of the wrong type.
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<RecipeEvent>, String> {
    let _ = (kind, body);
    Err(String::new())
}
