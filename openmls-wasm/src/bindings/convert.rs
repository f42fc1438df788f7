//! Values and errors between Rust and JavaScript.

use std::sync::Arc;

use js_sys::{Array, BigInt, Error, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use crate::{
    client::ClientError,
    storage::{Category, Page, Record},
    StorageError,
};

pub(super) type JsResult<T> = Result<T, JsValue>;

/// An `MlsError`: a JavaScript `Error` with a `code`.
pub(super) fn thrown(error: impl Into<ClientError>) -> JsValue {
    let error = error.into();
    let thrown = mls_error(error.code(), &error.to_string());
    let say = |name: &str, value: &str| {
        let _ = Reflect::set(&thrown, &name.into(), &value.into());
    };
    match &error {
        ClientError::Storage(StorageError::NotLoaded(Page::Group(group))) => say("group", group),
        ClientError::Storage(StorageError::NotLoaded(Page::Category(category))) => {
            say("category", category.name());
        }
        ClientError::Storage(StorageError::NotLoaded(Page::Record(category, key))) => {
            say("category", category.name());
            say("key", key);
        }
        ClientError::Storage(storage) => {
            if let Some((category, key)) = storage.record() {
                say("category", category.name());
                say("key", key);
            }
        }
        _ => {}
    }
    thrown
}

/// Reads `{ group }`, `{ category }` or `{ category, key }`.
pub(super) fn page(value: &JsValue) -> JsResult<Page> {
    if let Some(group) = property(value, "group").as_string() {
        return Ok(Page::Group(group));
    }
    let category = property(value, "category").as_string().unwrap_or_default();
    Category::from_name(&category)
        .map(|category| match property(value, "key").as_string() {
            Some(key) => Page::Record(category, key),
            None => Page::Category(category),
        })
        .ok_or_else(|| thrown(StorageError::UnknownCategory(category)))
}

fn mls_error(code: &str, message: &str) -> JsValue {
    let error = Error::new(message);
    error.set_name("MlsError");
    // Setting a property of a fresh object cannot fail.
    let _ = Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}

pub(super) fn to_js<T: Serialize + ?Sized>(value: &T) -> JsResult<JsValue> {
    // A flattened struct is serialized as a map; in JavaScript it is to be an object all the same.
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_large_number_types_as_bigints(true)
        .serialize_maps_as_objects(true);
    value
        .serialize(&serializer)
        .map_err(|error| mls_error("internal", &error.to_string()))
}

/// Like [`to_js`], with `None` as `null` instead of `undefined`.
pub(super) fn to_js_with_null<T: Serialize + ?Sized>(value: &T) -> JsResult<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true))
        .map_err(|error| mls_error("internal", &error.to_string()))
}

pub(super) fn invalid(what: &'static str) -> JsValue {
    thrown(ClientError::InvalidArgument(what))
}

pub(super) fn property(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

pub(super) fn bytes(object: &JsValue, name: &str) -> JsResult<Vec<u8>> {
    property(object, name)
        .dyn_into::<Uint8Array>()
        .map(|array| array.to_vec())
        .map_err(|_| invalid("bytes must be a Uint8Array"))
}

pub(super) fn optional_bytes(object: &JsValue, name: &str) -> JsResult<Option<Vec<u8>>> {
    optional(object, name, |_| bytes(object, name))
}

/// An epoch: a `bigint`, for all 64 bits are in use (RFC 9420 §12.1).
pub(super) fn epoch(value: JsValue) -> JsResult<u64> {
    value
        .dyn_into::<BigInt>()
        .ok()
        .and_then(|epoch| u64::try_from(epoch).ok())
        .ok_or_else(|| invalid("an epoch must be a bigint of 64 bits"))
}

/// A property that may be `undefined` or `null`.
fn optional<T>(
    object: &JsValue,
    name: &str,
    read: impl FnOnce(JsValue) -> JsResult<T>,
) -> JsResult<Option<T>> {
    let value = property(object, name);
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    read(value).map(Some)
}

pub(super) fn optional_epoch(object: &JsValue, name: &str) -> JsResult<Option<u64>> {
    optional(object, name, epoch)
}

pub(super) fn optional_u16(object: &JsValue, name: &str) -> JsResult<Option<u16>> {
    optional(object, name, |value| {
        value
            .as_f64()
            .and_then(integer)
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| invalid("expected a whole number of 16 bits"))
    })
}

pub(super) fn optional_string(object: &JsValue, name: &str) -> JsResult<Option<String>> {
    optional(object, name, |value| {
        value
            .as_string()
            .ok_or_else(|| invalid("an id must be a string"))
    })
}

pub(super) fn optional_position(object: &JsValue, name: &str) -> JsResult<Option<u64>> {
    optional(object, name, |value| {
        value
            .as_f64()
            .and_then(integer)
            .ok_or_else(|| invalid("a position must be a safe integer, not negative"))
    })
}

pub(super) fn sequence(value: f64) -> JsResult<u64> {
    integer(value).ok_or_else(|| invalid("a sequence must be a safe integer, not negative"))
}

fn integer(value: f64) -> Option<u64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    (value.fract() == 0.0 && (0.0..=MAX_SAFE).contains(&value)).then_some(value as u64)
}

pub(super) fn list_of_bytes(list: &Array) -> JsResult<Vec<Vec<u8>>> {
    list.iter()
        .map(|element| {
            element
                .dyn_into::<Uint8Array>()
                .map(|array| array.to_vec())
                .map_err(|_| invalid("expected an array of Uint8Array"))
        })
        .collect()
}

pub(super) fn optional_list_of_bytes(
    object: &JsValue,
    name: &str,
) -> JsResult<Option<Vec<Vec<u8>>>> {
    let value = property(object, name);
    if value.is_undefined() || value.is_null() {
        return Ok(None);
    }
    value
        .dyn_into::<Array>()
        .map_err(|_| invalid("expected an array of Uint8Array"))
        .and_then(|list| list_of_bytes(&list))
        .map(Some)
}

pub(super) fn list_of_strings(list: &Array) -> JsResult<Vec<String>> {
    list.iter()
        .map(|element| {
            element
                .as_string()
                .ok_or_else(|| invalid("expected an array of strings"))
        })
        .collect()
}

pub(super) fn list_to_js(list: Vec<Vec<u8>>) -> Array {
    list.iter()
        .map(|bytes| JsValue::from(Uint8Array::from(bytes.as_slice())))
        .collect()
}

pub(super) fn records(list: &Array) -> JsResult<Vec<Record>> {
    list.iter()
        .map(|record| {
            let category = property(&record, "category")
                .as_string()
                .unwrap_or_default();
            let category = Category::from_name(&category)
                .ok_or_else(|| thrown(StorageError::UnknownCategory(category)))?;
            let key = property(&record, "key")
                .as_string()
                .ok_or_else(|| invalid("a key must be a string"))?;
            let value = property(&record, "value")
                .dyn_into::<Uint8Array>()
                .map_err(|_| {
                    thrown(StorageError::DamagedRecord {
                        category,
                        key: key.clone(),
                    })
                })?;
            Ok(Record {
                category,
                key,
                value: Arc::new(Zeroizing::new(value.to_vec())),
            })
        })
        .collect()
}
