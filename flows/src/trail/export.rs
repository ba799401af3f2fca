//! Export of the trail by time, in pages, so that memory does not grow with its length.

use store::{AuditId, Timestamp, UserId, audit::AuditRange, audit::AuditRow};

use crate::{Cx, Result};

const PAGE: i64 = 500;

/// What to export.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportFilter<'a> {
    /// Only from this time on.
    pub from: Option<Timestamp>,
    /// Only before this time.
    pub to: Option<Timestamp>,
    /// Only about this person.
    pub user: Option<UserId>,
    /// Only this event.
    pub event: Option<&'a str>,
}

/// An export in progress.
#[derive(Debug)]
pub struct Export<'a> {
    cx: &'a Cx,
    filter: ExportFilter<'a>,
    after: AuditId,
    before: AuditId,
}

impl<'a> Export<'a> {
    /// Starts an export.
    #[must_use]
    pub fn new(cx: &'a Cx, filter: ExportFilter<'a>) -> Self {
        let least = |at: Timestamp| AuditId::new(at, [0; 10]);
        let after = filter.from.map_or(uuid::Uuid::nil(), |from| one_before(least(from)));
        let before = filter.to.map_or(AuditId::from(uuid::Uuid::max()), least);
        Self { cx, filter, after: after.into(), before }
    }

    /// The next rows, oldest first; none at the end.
    pub async fn next(&mut self) -> Result<Vec<AuditRow>> {
        let piece = AuditRange { after: self.after, before: self.before, limit: PAGE };
        let mut conn = self.cx.db.read().await?;
        let rows = match self.filter.user {
            Some(user) => {
                store::audit::of_user_in_range(&mut conn, user, piece, self.filter.event).await?
            }
            None => store::audit::in_range(&mut conn, piece, self.filter.event).await?,
        };
        if let Some(last) = rows.last() {
            self.after = last.id;
        }
        Ok(rows)
    }
}

fn one_before(id: AuditId) -> uuid::Uuid {
    uuid::Uuid::from_u128(id.uuid().as_u128().saturating_sub(1))
}
