//! Turning somebody's second factor off: for an admin who has neither the phone nor a recovery code.

use crate::app::App;
use crate::domain::second_factor;
use crate::error::Result;
use crate::store::Lane;

/// The lines to print. [`crate::error::Error::NotFound`] if there is no such admin.
pub fn perform(app: &App, name: &str) -> Result<Vec<String>> {
    let owned = name.to_owned();
    app.write_blocking(Lane::Erasure, move |tx| second_factor::turn_off_by_operator(tx, &owned))?;
    Ok(vec![format!(
        "The second factor of {name} is off, and {name} is signed out everywhere. The password alone signs in."
    )])
}
