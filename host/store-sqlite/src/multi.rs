//! Statements over many rows: each call crosses to SQLite's thread once, so rows travel together.

use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments as _, types::Type};

/// Rows of one statement. Powers of two keep the number of prepared statements small, and that of calls too.
const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// One statement in all sizes: `head (row), (row), … tail`.
pub(crate) struct Multi([String; SIZES.len()]);

impl Multi {
    /// `columns` placeholders a row.
    pub fn new(head: &str, columns: usize, tail: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        Self(SIZES.map(|size| format!("{head} {} {tail}", vec![row.as_str(); size].join(","))))
    }

    /// Runs it over all rows, in order.
    pub async fn execute<R: Sync>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&mut Args, &R) + Send + Sync,
    ) -> Result<(), sqlx::Error> {
        for (sql, rows) in self.parts(rows) {
            let args = Args::of(rows, &bind)?;
            sqlx::query_with(sql, args).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Runs it over all rows and answers with what it returned.
    pub async fn fetch<R: Sync>(
        &'static self,
        connection: &mut SqliteConnection,
        rows: &[R],
        bind: impl Fn(&mut Args, &R) + Send + Sync,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut found = Vec::new();
        for (sql, rows) in self.parts(rows) {
            let args = Args::of(rows, &bind)?;
            found.append(&mut sqlx::query_with(sql, args).fetch_all(&mut *connection).await?);
        }
        Ok(found)
    }

    /// All its sizes, to look at their plans.
    #[cfg(test)]
    pub fn statements(&'static self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(String::as_str)
    }

    fn parts<'r, R>(&'static self, mut rows: &'r [R]) -> impl Iterator<Item = (&'static str, &'r [R])> + Send
    where
        R: Sync,
    {
        std::iter::from_fn(move || {
            let (size, sql) = SIZES.iter().zip(&self.0).find(|(size, _)| **size <= rows.len())?;
            let (part, rest) = rows.split_at(*size);
            rows = rest;
            Some((sql.as_str(), part))
        })
    }
}

/// Values for placeholders.
#[derive(Default)]
pub(crate) struct Args {
    values: SqliteArguments,
    refused: Option<BoxDynError>,
}

impl Args {
    fn of<R>(rows: &[R], bind: &impl Fn(&mut Self, &R)) -> Result<SqliteArguments, sqlx::Error> {
        let mut args = Self::default();
        rows.iter().for_each(|row| bind(&mut args, row));
        match args.refused {
            None => Ok(args.values),
            Some(error) => Err(sqlx::Error::Encode(error)),
        }
    }

    /// Adds the next value.
    pub fn push<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.values.add(value) {
            self.refused.get_or_insert(error);
        }
        self
    }
}
