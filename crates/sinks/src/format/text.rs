//! JSON that is written member by member, without a tree of it in memory.

pub(super) use backstop_json::{Decimal, write_string as string};
use serde::Serialize;

/// Appends a value as JSON.
pub(super) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Texts and numbers can be written, and a vector takes everything.
    _ = serde_json::to_writer(out, value);
}

/// An object in the making.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Its members alone, for [`Object::members`].
    pub(super) fn inside(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            is_empty: true,
        }
    }

    /// A member of which the value is written by `value`. The names of a format need no escapes.
    #[inline]
    pub(super) fn raw(&mut self, name: &'static str, value: impl FnOnce(&mut Vec<u8>)) {
        let before: &[u8] = if self.is_empty { b"\"" } else { b",\"" };
        self.is_empty = false;
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        value(self.out);
    }

    /// The same of a name that may need escapes.
    pub(super) fn own(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        string(self.out, name);
        self.out.push(b':');
        value(self.out);
    }

    /// A text of such a name.
    pub(super) fn own_text(&mut self, name: &str, value: &str) {
        self.own(name, |out| string(out, value));
    }

    fn separate(&mut self) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
    }

    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        self.raw(name, |out| string(out, value));
    }

    /// A member that is a whole number.
    pub(super) fn number(&mut self, name: &'static str, value: u64) {
        self.raw(name, |out| {
            out.extend_from_slice(Decimal::of(value).as_bytes());
        });
    }

    /// Members that are written already.
    pub(super) fn members(&mut self, written: &[u8]) {
        if !written.is_empty() {
            self.separate();
            self.out.extend_from_slice(written);
        }
    }

    /// The same, where the last of them is an object that [`Object::begin`] left open.
    pub(super) fn continued(&mut self, written: &[u8], write: impl FnOnce(&mut Object<'_>)) {
        self.members(written);
        let mut object = Object {
            is_empty: written.ends_with(b"{"),
            out: self.out,
        };
        write(&mut object);
        object.close();
    }

    /// A member that is an object and stays open.
    pub(super) fn begin(&mut self, name: &'static str, write: impl FnOnce(&mut Object<'_>)) {
        self.raw(name, |out| write(&mut Object::open(out)));
    }

    /// A member that is left out where there is nothing to say.
    pub(super) fn some(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.text(name, value);
        }
    }

    pub(super) fn object(&mut self, name: &'static str, write: impl FnOnce(&mut Object<'_>)) {
        self.raw(name, |out| {
            let mut object = Object::open(out);
            write(&mut object);
            object.close();
        });
    }

    pub(super) fn close(self) {
        self.out.push(b'}');
    }
}

/// An array in the making.
pub(super) struct List<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> List<'a> {
    pub(super) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'[');
        Self {
            out,
            is_empty: true,
        }
    }

    pub(super) fn item(&mut self, value: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        value(self.out);
    }

    pub(super) fn close(self) {
        self.out.push(b']');
    }
}
