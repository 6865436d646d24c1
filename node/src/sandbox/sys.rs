//! The one thing that all raw calls share: -1 is an error that the system tells of.

use std::io;

/// The result of a call that says -1 when it fails.
pub(super) fn check<T: PartialEq + From<i8>>(returned: T) -> io::Result<T> {
    if returned == T::from(-1) { Err(io::Error::last_os_error()) } else { Ok(returned) }
}
