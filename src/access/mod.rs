//! Who may do what: admins and their roles, sign-ins and second factors, API keys, rate limits.

pub mod admin_ends;
pub mod admin_rights;
pub mod admins;
pub mod audit;
pub mod credentials;
pub mod key_addresses;
pub mod key_ends;
pub mod keyring;
pub mod keys;
pub mod passwords;
pub mod rate_limit;
pub mod registration_limit;
pub mod roles;
pub mod rotation;
pub mod second_factor;
pub mod sign_ins;
pub mod totp;
