//! Parts of an address, as axum reads them; what it refuses becomes an error in our form.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::Failure;
use crate::error::{Code, Error};

/// A segment of the path.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

/// The parameters after the path.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

fn refused(status: StatusCode, why: impl std::fmt::Display) -> Failure {
    Failure::new(Error::new(Code::BadRequest, format!("The address is not valid: {why}."))).status(status)
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(path)| Self(path))
            .map_err(|why| refused(why.status(), "a segment cannot be read"))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(query)| Self(query))
            .map_err(|why| refused(why.status(), "a parameter stands there twice or cannot be read"))
    }
}
