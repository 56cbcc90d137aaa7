//! One id, in the forms in which the APIs show it.

use crate::model::UserId;

/// Each form, after whose it is.
pub fn forms(id: UserId) -> [(&'static str, String); 3] {
    [
        ("Usher, Vemetric", id.to_string()),
        ("Proficient AI", format!("u_{id}")),
        ("Alloy", format!("{:024x}", id.0)),
    ]
}

/// The ids that are shown as this text in one form or another.
pub fn read(text: &str) -> Vec<UserId> {
    let decimal = text.strip_prefix("u_").unwrap_or(text).parse();
    let hex = i64::from_str_radix(text, 16);
    let read = [decimal.ok(), hex.ok()].into_iter().flatten().map(UserId);
    read.filter(|id| forms(*id).iter().any(|(_, form)| form == text)).collect()
}
