//! Rows of a `LEFT JOIN`.

use sqlx::{ColumnIndex, Error, FromRow, Row, ValueRef};

/// A row that can be the right side of a `LEFT JOIN`.
pub(crate) trait LeftJoined {
    /// A column that is `NULL` only where no row was found.
    const KEY: &'static str;
}

/// The right side of a `LEFT JOIN`: `None` where no row was found.
#[derive(Clone, Debug)]
pub(crate) struct OptionalRow<T>(pub(crate) Option<T>);

impl<'r, R, T> FromRow<'r, R> for OptionalRow<T>
where
    R: Row,
    T: FromRow<'r, R> + LeftJoined,
    &'static str: ColumnIndex<R>,
{
    fn from_row(row: &'r R) -> Result<Self, Error> {
        let is_missing = row.try_get_raw(T::KEY)?.is_null();
        Ok(Self(if is_missing { None } else { Some(T::from_row(row)?) }))
    }
}
