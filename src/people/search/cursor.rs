//! Where a list goes on, as a text that means nothing to who holds it and fits one search alone.

use std::cmp::Reverse;

use super::{Asked, Spot};
use crate::find::{Place, Tier};
use crate::model::UserId;
use crate::store::Store;

const PURPOSE: &str = "search cursor";
const MAC: usize = 16;

/// The text for a place in this search.
pub fn write(store: &Store, asked: &Asked, spot: Spot) -> String {
    let (tier, id) = match spot {
        Spot::Whole(id) => (0, id),
        Spot::Part(Place(tier, Reverse(id))) => (tier as u8 + 1, id),
    };
    let mut bytes = vec![tier];
    bytes.extend_from_slice(&id.0.to_be_bytes());
    bytes.extend_from_slice(&mac(store, asked, &bytes.clone()));
    data_encoding::BASE64URL_NOPAD.encode(&bytes)
}

/// The place. None: it was given out for another search, or not at all.
pub fn read(store: &Store, asked: &Asked, text: &str) -> Option<Spot> {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    let (place, mac_given) = bytes.split_at_checked(1 + size_of::<i64>())?;
    if mac_given != mac(store, asked, place) {
        return None;
    }
    let (tier, id) = place.split_first()?;
    let id = UserId(i64::from_be_bytes(id.try_into().ok()?));
    match tier.checked_sub(1) {
        None => Some(Spot::Whole(id)),
        Some(tier) => Tier::ALL
            .into_iter()
            .find(|one| *one as u8 == tier)
            .map(|tier| Spot::Part(Place(tier, Reverse(id)))),
    }
}

/// Over the place and all that the search asks for.
fn mac(store: &Store, asked: &Asked, place: &[u8]) -> [u8; MAC] {
    let projects: Vec<u8> = asked.projects.iter().flat_map(|project| project.0.to_be_bytes()).collect();
    let filter = format!("{:?}", asked.filter);
    let lengths = [projects.len(), asked.text.len(), filter.len()];
    let lengths: Vec<u8> = lengths.into_iter().flat_map(|length| (length as u64).to_be_bytes()).collect();
    let parts = [&lengths, &projects, asked.text.as_bytes(), filter.as_bytes(), place];
    let whole = store.keyed(PURPOSE, &parts);
    std::array::from_fn(|n| whole[n])
}
