//! Jobs that come with the package.
