//! The data folder of `dev`. It has a marker file, so that `serve` never runs on it and `dev` never on another folder.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
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

/// A locked folder; dropped, it is unlocked.
#[derive(Debug)]
pub(crate) struct FolderLock(
    #[expect(dead_code, reason = "it is locked while the file is open")] File,
);

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
        let cannot = |error: io::Error| cannot_write(dir, &error);
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

    /// Locks the folder for this process: a second one would give the demo client the addresses of its own portal. The system
    /// unlocks it when the process ends, also when it is killed.
    ///
    /// # Errors
    /// Another process has locked it.
    pub(crate) fn lock(&self) -> Result<FolderLock, String> {
        let file = File::open(self.0.join(MARKER_FILE))
            .map_err(|error| format!("{}: {error}", self.0.display()))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(format!(
                "another `idp dev` runs on {}; stop that one, or name another folder with --data-dir DIR (and other ports)",
                self.0.display()
            )),
            // A file system without locks: then nothing keeps a second process away.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(FolderLock(file)),
        }
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

/// Why the folder cannot be written, and what to do.
fn cannot_write(dir: &Path, error: &io::Error) -> String {
    let shown = dir.display();
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => format!(
            "{shown}: {error}; `dev` writes its data there: name a folder that you may write to, such as `--data-dir \
             /tmp/dev-data`"
        ),
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!("{shown}: {error}; name a folder, with --data-dir DIR")
        }
        _ => format!("{shown}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwritable_folder_error_suggests_another() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let why = cannot_write(Path::new("/srv/data"), &kind.into());
            assert!(why.starts_with("/srv/data: ") && why.contains("--data-dir"), "{why}");
        }
    }
}
