//! Setters of the fields of options.

/// Generates the chained setters of a `#[non_exhaustive]` struct, inside one of its `impl` blocks. Other crates cannot write a struct
/// expression of such a struct, so that a later version can add a field. They start from a default or a constructor, and call the
/// setter of each field that differs.
///
/// | entry | what the setter takes |
/// | --- | --- |
/// | `field: T` | a `T` |
/// | `field: impl Into<T>` | what converts into a `T`; if `T` is `Option<U>`, a `U` or an `Option<U>` |
/// | `field: Some(T)` | a `T`, for a field of the type `Option<T>` |
/// | `field: Some(impl Into<T>)` | what converts into a `T`, for a field of the type `Option<T>` |
///
/// `const` before the first and the third makes the setter a `const fn`. The struct must have no destructor then.
#[doc(hidden)]
#[macro_export]
macro_rules! setters {
    () => {};
    (@setter [$($const:tt)?] $field:ident, $type:ty, $value:expr, $addition:literal) => {
        #[doc = concat!("Sets [`", stringify!($field), "`](field@Self::", stringify!($field), ")", $addition, ".")]
        #[must_use = "the setter returns the changed value"]
        pub $($const)? fn $field(mut self, $field: $type) -> Self {
            self.$field = $value;
            self
        }
    };
    (const $field:ident: Some($type:ty), $($rest:tt)*) => {
        $crate::setters! { @setter [const] $field, $type, Some($field), ". To clear it, assign `None` to the field" }
        $crate::setters! { $($rest)* }
    };
    (const $field:ident: $type:ty, $($rest:tt)*) => {
        $crate::setters! { @setter [const] $field, $type, $field, "" }
        $crate::setters! { $($rest)* }
    };
    ($field:ident: Some(impl Into<$type:ty>), $($rest:tt)*) => {
        $crate::setters! {
            @setter [] $field, impl Into<$type>, Some($field.into()), ". To clear it, assign `None` to the field"
        }
        $crate::setters! { $($rest)* }
    };
    ($field:ident: impl Into<$type:ty>, $($rest:tt)*) => {
        $crate::setters! { @setter [] $field, impl Into<$type>, $field.into(), "" }
        $crate::setters! { $($rest)* }
    };
    ($field:ident: $type:ty, $($rest:tt)*) => {
        $crate::setters! { @setter [] $field, $type, $field, "" }
        $crate::setters! { $($rest)* }
    };
}
