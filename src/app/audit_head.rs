//! The signed head of the audit log: how far it has come.

use super::App;
use crate::error::Result;
use crate::proof::audit::Head;
use crate::store::{BackgroundTx, audit};

impl App {
    /// Signs how far the audit log has come, unless it has not since the last time.
    pub fn sign_audit_head(&self) -> Result<()> {
        let (position, heads) = self.read(|db| Ok((audit::position(db)?, audit::last_head(db)?)))?;
        if position.seq == 0 || heads.is_some_and(|head| head.seq == position.seq) {
            return Ok(());
        }
        let head = Head::sign(self.signer(), position.seq, position.head.0, self.clock().now());
        self.write_blocking(move |tx: &BackgroundTx| audit::keep_head(tx, &head))
    }
}
