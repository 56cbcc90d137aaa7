//! Asking somebody who is signed in once more for the password, or for a code: a browser that was left
//! open is not enough for what lets somebody in.

use super::device;
use super::login_throttle::{Guest, LoginThrottle};
use super::page_request::PageRequest;
use crate::access::{admins, credentials};
use crate::error::Result;
use crate::store::{Priority, TxOf};

/// Whether this is the password of who is signed in. [`crate::error::Error::RateLimited`] after too
/// many attempts.
pub async fn is_password(request: &PageRequest, password: &str) -> Result<bool> {
    let (door, admin) = (request.shared::<LoginThrottle>()?, request.admin()?.clone());
    let guest = Guest { name: &admin.name, address: request.sender(), device: device::of(request, &admin) };
    let delay = door.let_try(&guest)?;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (checked, password) = (admin.clone(), password.to_owned());
    let right = door.hash(move || admins::is_password(Some(&checked), &password)).await?;
    match right {
        true => door.forgive(&guest),
        false => request.app.write(move |tx| credentials::refuse(tx, admin.id)).await?,
    }
    Ok(right)
}

/// Does what takes a code of the second factor. None: the code is wrong.
/// [`crate::error::Error::RateLimited`] after too many attempts.
pub async fn with_code<P, T, F>(request: &PageRequest, run: F) -> Result<Option<T>>
where
    P: Priority,
    T: Send + 'static,
    F: FnMut(&TxOf<P>) -> Result<Option<T>> + Send + 'static,
{
    let (door, admin) = (request.shared::<LoginThrottle>()?, request.admin()?);
    let device = device::of(request, admin);
    door.let_try_code(admin.id, device)?;
    let done = request.app.write(run).await?;
    if done.is_some() {
        door.forgive_code(admin.id, device);
    }
    Ok(done)
}
