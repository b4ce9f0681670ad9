//! JSON that is written member by member, without a tree of it in memory.

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

    /// A member of which the value is written by `write`.
    pub(super) fn raw(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        write(self.out, name);
        self.out.push(b':');
        value(self.out);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.raw(name, |out| write(out, value));
    }

    /// A member that is left out where there is nothing to say.
    pub(super) fn some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.text(name, value);
        }
    }

    pub(super) fn object(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
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

/// FNV-1a: the same for the same text, and rarely so for another.
pub(super) fn hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
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
