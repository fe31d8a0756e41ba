//! The closed object-store registry: one URL, read only.
//!
//! DataFusion's own registry falls back to the local file system for any `file://` path; a server that answers strangers'
//! SQL must not. A plan can reach the warehouse and nothing else, and can only read it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::object_store::ObjectStoreRegistry;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use url::Url;

/// One fixed store.
#[derive(Debug)]
pub(super) struct Closed {
    url: Url,
    store: Arc<dyn ObjectStore>,
}

impl Closed {
    pub(super) fn new(url: &str, store: Arc<dyn ObjectStore>) -> Self {
        Self { url: Url::parse(url).expect("a constant of this crate"), store }
    }
}

impl ObjectStoreRegistry for Closed {
    fn register_store(&self, _url: &Url, _store: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        if url.scheme() == self.url.scheme() && url.host_str() == self.url.host_str() {
            Ok(Arc::clone(&self.store))
        } else {
            plan_err!("no store is registered for this url")
        }
    }

    fn deregister_store(&self, _url: &Url) -> Result<Arc<dyn ObjectStore>, DataFusionError> {
        plan_err!("the registry is closed")
    }
}

/// A store that can be read by name and nothing else: no list, no write, no delete.
#[derive(Debug)]
pub(super) struct ReadOnly(Arc<dyn ObjectStore>);

impl ReadOnly {
    pub(super) fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self(inner)
    }
}

impl std::fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("read-only warehouse")
    }
}

fn refused<T>() -> object_store::Result<T> {
    Err(Error::NotImplemented { operation: "anything but reading by name".into(), implementer: "ReadOnly".into() })
}

#[async_trait]
impl ObjectStore for ReadOnly {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        refused()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        refused()
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> object_store::Result<Vec<bytes::Bytes>> {
        self.0.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        Box::pin(futures::stream::once(async { refused() }))
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        Box::pin(futures::stream::once(async { refused() }))
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> object_store::Result<ListResult> {
        refused()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> object_store::Result<()> {
        refused()
    }
}
