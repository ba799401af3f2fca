//! The data folder of `dev`. It has a marker file, so that `serve` never runs on it and `dev` never on another folder.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use keys::{Rng, RootKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use store::DbConfig;

use crate::config::{KeysConfig, RootKeyFile};

const MARKER_FILE: &str = "idp-dev-folder";
const MARK_TEXT: &str = "This folder belongs to `idp dev`. Its passwords are in demo.json: never serve real people from it.\n";
const ROOT_KEY_FILE: &str = "root.key";
const DEMO_FILE: &str = "demo.json";
const DATABASE_FILE: &str = "vestibule.db";

/// A folder with the marker file.
#[derive(Clone, Debug)]
pub(crate) struct DevFolder(PathBuf);

/// What `dev` needs again at its next start, in a file that only its owner can read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DemoData {
    /// Secret of the demo portal.
    pub client_secret: String,
    /// Demo people.
    pub people: Vec<DemoPerson>,
}

/// A demo person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DemoPerson {
    /// Address.
    pub email: String,
    /// Password, random per folder.
    pub password: String,
}

impl DevFolder {
    /// Whether a folder is one of `dev`.
    #[must_use]
    pub(crate) fn is_marked(dir: &Path) -> bool {
        dir.join(MARKER_FILE).exists()
    }

    /// Opens a folder that `dev` has created.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn open(dir: &Path) -> Result<Self, String> {
        if Self::is_marked(dir) {
            Ok(Self(dir.to_owned()))
        } else {
            let dir = dir.display();
            Err(format!(
                "{dir} is not a folder of `idp dev`; start `idp dev --data-dir {dir}` once"
            ))
        }
    }

    /// Creates the folder, its marker file and its root key, or opens those that exist.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn open_or_create(dir: &Path, rng: &Rng) -> Result<Self, String> {
        let cannot = |error: io::Error| format!("{}: {error}", dir.display());
        if !Self::is_marked(dir) {
            fs::create_dir_all(dir).map_err(cannot)?;
            if fs::read_dir(dir).map_err(cannot)?.next().is_some() {
                let dir = dir.display();
                return Err(format!(
                    "{dir} has files that are not of `idp dev`; name an empty or new folder"
                ));
            }
            fs::write(dir.join(MARKER_FILE), MARK_TEXT).map_err(cannot)?;
        }
        let folder = Self(dir.to_owned());
        if !folder.0.join(ROOT_KEY_FILE).exists() {
            folder
                .write_private(ROOT_KEY_FILE, RootKey::generate_file_content(rng).as_bytes())
                .map_err(cannot)?;
        }
        Ok(folder)
    }

    /// The database file.
    #[must_use]
    pub(crate) fn db_config(&self) -> DbConfig {
        DbConfig::Sqlite { file: self.0.join(DATABASE_FILE), full_sync: false }
    }

    /// The root key.
    #[must_use]
    pub(crate) fn keys_config(&self) -> KeysConfig {
        let entry = RootKeyFile { id: "dev".to_owned(), file: self.0.join(ROOT_KEY_FILE) };
        KeysConfig { root_file: vec![entry] }
    }

    /// The path of the folder.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The saved demo data.
    #[must_use]
    pub(crate) fn load_demo(&self) -> Option<DemoData> {
        self.read_json(DEMO_FILE)
    }

    /// Saves the demo data.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn save_demo(&self, demo: &DemoData) -> io::Result<()> {
        self.write_private(DEMO_FILE, &serde_json::to_vec_pretty(demo)?)
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.0.join(name)).ok()?).ok()
    }

    /// Writes a temporary file and renames it, so that a power failure leaves the old file or the new one.
    fn write_private(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let temporary = self.0.join(format!("{name}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(temporary, self.0.join(name))
    }
}
