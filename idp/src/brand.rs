//! The brand as a replica shows it: its configuration, and the assets made of it. The names of assets change with their
//! content, so that they can be cached for ever.

mod logo;

use std::ops::Deref;

use axum::body::Bytes;
pub(crate) use logo::Logo;

use crate::config::{BrandConfig, Colour};

const STYLESHEET: &str = include_str!("../assets/vestibule.css");
const SCRIPT: &str = include_str!("../assets/vestibule.js");
const PASSKEY_SCRIPT: &str = include_str!("../assets/passkey.js");
/// Without an icon in the page, a browser asks for `/favicon.ico`.
const ICON: &[u8] = include_bytes!("../assets/vestibule.png");

/// What a picture that is opened by its own address may do: nothing. An SVG file could hold a script of its author's.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// An asset file.
#[derive(Clone, Debug)]
pub(crate) struct Asset {
    /// Where it is.
    pub(crate) path: String,
    /// `Content-Type`.
    pub(crate) content_type: &'static str,
    /// `Content-Security-Policy`, if it could act as a page.
    pub(crate) policy: Option<&'static str>,
    /// Content.
    pub(crate) bytes: Bytes,
}

/// The brand of a replica.
#[derive(Clone, Debug)]
pub struct Brand {
    config: BrandConfig,
    logo: Option<Logo>,
    stylesheet: Asset,
    script: Asset,
    passkey_script: Asset,
    icon: Asset,
    logo_asset: Option<Asset>,
}

impl Deref for Brand {
    type Target = BrandConfig;

    fn deref(&self) -> &BrandConfig {
        &self.config
    }
}

impl Brand {
    /// Reads the logo. `check-config` refuses one that cannot be used; should it be gone since, pages show the name.
    pub(crate) fn load(config: BrandConfig) -> Self {
        let read = config.logo.as_deref().map(Logo::read);
        let logo = read.and_then(|logo| {
            logo.inspect_err(|why| tracing::warn!(why, "brand.logo is not shown")).ok()
        });
        let logo_asset = logo.as_ref().map(|logo| {
            let asset =
                Asset::new("logo", logo.extension(), logo.content_type(), logo.bytes.clone());
            Asset { policy: Some(PICTURE_POLICY), ..asset }
        });
        let css = stylesheet(config.colour);
        Self {
            stylesheet: Asset::new("vestibule", "css", "text/css; charset=utf-8", css),
            script: Asset::new("vestibule", "js", "text/javascript; charset=utf-8", SCRIPT.into()),
            passkey_script: Asset::new(
                "passkey",
                "js",
                "text/javascript; charset=utf-8",
                PASSKEY_SCRIPT.into(),
            ),
            icon: Asset::new("vestibule", "png", "image/png", Bytes::from_static(ICON)),
            config,
            logo,
            logo_asset,
        }
    }

    /// The path of the style sheet.
    pub(crate) fn stylesheet(&self) -> &str {
        &self.stylesheet.path
    }

    /// The path of the script of passkeys.
    pub(crate) fn passkey_script(&self) -> &str {
        &self.passkey_script.path
    }

    /// The path of the script.
    pub(crate) fn script(&self) -> &str {
        &self.script.path
    }

    /// The path of the icon.
    pub(crate) fn icon(&self) -> &str {
        &self.icon.path
    }

    /// The path of the logo.
    pub(crate) fn logo_path(&self) -> Option<&str> {
        self.logo_asset.as_ref().map(|asset| asset.path.as_str())
    }

    /// The logo as mails can show it.
    pub(crate) fn mail_logo(&self) -> Option<&Logo> {
        self.logo.as_ref().filter(|logo| logo.is_png())
    }

    /// The asset at a path.
    pub(crate) fn find_asset(&self, path: &str) -> Option<&Asset> {
        let own = [&self.stylesheet, &self.script, &self.passkey_script, &self.icon];
        own.into_iter().chain(&self.logo_asset).find(|asset| asset.path == path)
    }
}

impl Asset {
    fn new(name: &str, extension: &str, content_type: &'static str, bytes: Bytes) -> Self {
        let digest = keys::hash_bytes(&bytes);
        let short =
            digest.as_bytes().iter().take(6).fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        let path = format!("/assets/{name}-{short:012x}.{extension}");
        Self { path, content_type, policy: None, bytes }
    }
}

/// The style sheet, with the accent colour of the brand behind our own.
fn stylesheet(colour: Option<Colour>) -> Bytes {
    let Some(colour) = colour else { return STYLESHEET.into() };
    let [light, dark] = [colour.light(), colour.dark()].map(|colours| {
        format!(
            ":root {{ --accent: {}; --accent-deep: {}; --on-accent: {}; }}",
            colours.main, colours.deep, colours.text
        )
    });
    format!("{STYLESHEET}\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n").into()
}

/// A brand with a name, a home and a telephone number.
#[cfg(test)]
pub(crate) fn brand_config() -> BrandConfig {
    BrandConfig {
        name: "Example Portal".to_owned(),
        home: "https://www.example.org/".parse().unwrap(),
        links: crate::config::BrandLinks::default(),
        logo: None,
        colour: None,
        support: Some("0800 111 222".to_owned()),
        time_zone: jiff::tz::TimeZone::get("Pacific/Auckland").unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DARK_PAPERS, LIGHT_PAPERS};

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(&asset.bytes).unwrap()
    }

    #[test]
    fn assets_are_hashed_and_self_contained() {
        let brand = Brand::load(brand_config());
        for (path, ending) in [(brand.stylesheet(), ".css"), (brand.script(), ".js")] {
            let name = path.strip_prefix("/assets/vestibule-").unwrap();
            assert_eq!(name.strip_suffix(ending).map(str::len), Some(12), "{path}");
            let content = text(brand.find_asset(path).unwrap());
            for foreign in
                ["url(", "@import", "@font-face", "http", "!important", "eval", "innerHTML"]
            {
                assert!(!content.contains(foreign), "{path}: {foreign}");
            }
        }
        let icon = brand.find_asset(brand.icon()).unwrap();
        assert!(icon.bytes.starts_with(b"\x89PNG\r\n") && icon.content_type == "image/png");
        assert!(brand.find_asset("/assets/vestibule.css").is_none());
        assert_eq!(brand.logo_path(), None);
    }

    #[test]
    fn stylesheet_moves_nothing_but_late_link() {
        // So no rule for `prefers-reduced-motion` is needed: the one animation makes a link appear.
        for moving in ["transition", "scroll-behavior", "transform"] {
            assert!(!STYLESHEET.contains(moving), "{moving}");
        }
        assert_eq!(STYLESHEET.matches("animation:").count(), 1);
        for needed in ["color-scheme: light dark", "prefers-color-scheme: dark", ":focus-visible"] {
            assert!(STYLESHEET.contains(needed), "{needed}");
        }
    }

    /// The contrast is computed for the papers that the style sheet has.
    #[test]
    fn papers_are_those_of_stylesheet() {
        let (light, dark) = STYLESHEET.split_once("prefers-color-scheme: dark").unwrap();
        for (part, papers) in [(light, LIGHT_PAPERS), (dark, DARK_PAPERS)] {
            for (name, paper) in ["--card", "--paper", "--note"].into_iter().zip(papers) {
                assert!(part.contains(&format!("{name}: {paper};")), "{name}: {paper}");
            }
        }
    }

    #[test]
    fn colour_changes_stylesheet_and_name() {
        let plain = Brand::load(brand_config());
        let config = with_env_colour("#005eb8");
        let own = Brand::load(config);
        assert_ne!(own.stylesheet(), plain.stylesheet());
        let css = text(own.find_asset(own.stylesheet()).unwrap());
        assert!(css.starts_with(STYLESHEET) && css.contains("--accent: #005eb8;"), "{css}");
        assert!(css.trim_end().ends_with("} }"), "dark, too: {css}");
    }

    fn with_env_colour(text: &str) -> BrandConfig {
        BrandConfig { colour: Some(Colour::parse(text).unwrap()), ..brand_config() }
    }
}
