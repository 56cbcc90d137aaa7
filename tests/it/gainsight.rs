//! Gainsight PX's API.
