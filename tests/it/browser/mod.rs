//! The admin pages in headless Chromium.
