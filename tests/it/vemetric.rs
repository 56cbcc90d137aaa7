//! Vemetric's API.
