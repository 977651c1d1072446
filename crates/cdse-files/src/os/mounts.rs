//! File systems whose locks do not keep other machines out, by what `/proc/self/mountinfo` says of them (proc(5)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Why the file system that holds `folder` is not to be used, and what helps.
pub(crate) fn unfit(folder: &Path) -> Option<(String, &'static str)> {
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    unfit_among(&String::from_utf8_lossy(&mounts), &folder.canonicalize().ok()?)
}

fn unfit_among(mounts: &str, folder: &Path) -> Option<(String, &'static str)> {
    let holding = mounts.lines().filter_map(Mount::parse).filter(|mount| folder.starts_with(&mount.point));
    // The deepest one, and of those at one place the last, which hides the others.
    let mount = holding.max_by_key(|mount| mount.point.components().count())?;
    let (what, remedy) = mount.fault()?;
    Some((format!("{} is on {what} (mounted at {})", folder.display(), mount.point.display()), remedy))
}

struct Mount<'a> {
    point: PathBuf,
    kind: &'a str,
    /// Of this mount, and of the file system.
    options: [&'a str; 2],
}

impl<'a> Mount<'a> {
    /// `36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/sda1 rw,errors=continue`
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(4);
        let (point, options) = (mount.next()?, mount.next()?);
        let mut file_system = file_system.split(' ');
        let (kind, of_file_system) = (file_system.next()?, file_system.nth(1).unwrap_or_default());
        Some(Self { point: unescaped(point), kind, options: [options, of_file_system] })
    }

    fn option(&self, name: &str) -> Option<&'a str> {
        let mut all = self.options.into_iter().flat_map(|options| options.split(','));
        all.find_map(|option| {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            (key == name).then_some(value)
        })
    }

    /// What is wrong with its locks, and what helps.
    fn fault(&self) -> Option<(String, &'static str)> {
        const NO_LOCKS: &str = "file locks do not keep other machines out there";
        match self.kind {
            "nfs" | "nfs4" => {
                let version = self.option("vers").or_else(|| self.option("nfsvers"));
                let version = version.unwrap_or(if self.kind == "nfs4" { "4" } else { "3" });
                let local = self.option("local_lock").filter(|value| *value != "none");
                if self.option("nolock").is_some() {
                    Some((format!("NFS with the option nolock, and {NO_LOCKS}"), "have it mounted without nolock"))
                } else if let Some(value) = local {
                    let what = format!("NFS with the option local_lock={value}, and {NO_LOCKS}");
                    Some((what, "have it mounted without local_lock"))
                } else if !version.starts_with('4') {
                    let what = format!("NFS version {version}, whose locks may outlive their holder");
                    Some((what, "have it mounted with version 4"))
                } else {
                    None
                }
            }
            "lustre" if self.option("flock").is_none() => {
                Some((format!("Lustre without the option flock, and {NO_LOCKS}"), "have it mounted with flock"))
            }
            "beegfs" | "fhgfs" => Some((format!("BeeGFS, and usually {NO_LOCKS}"), "use another file system")),
            _ => None,
        }
    }
}

/// Spaces and their like are written in octal: `\040`.
fn unescaped(text: &str) -> PathBuf {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escaped = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(b'\\'));
        bytes.extend_from_slice(&part.as_bytes()[if escaped.is_some() { 3 } else { 0 }..]);
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as they were seen, and a word of what is said; empty where nothing is wrong.
    const MOUNTS: &[(&str, &str)] = &[
        ("36 35 98:0 / /home rw,noatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro", ""),
        ("36 35 0:45 / /home rw - tmpfs tmpfs rw,size=1024k", ""),
        ("36 35 0:45 / /home rw - cifs //server/home rw,vers=3.1.1", ""),
        (
            "36 35 0:45 / /home rw,relatime shared:218 - nfs4 server:/home rw,vers=4.2,hard,proto=tcp,local_lock=none",
            "",
        ),
        ("36 35 0:45 / /home rw - nfs4 server:/home rw,vers=4.0,local_lock=none", ""),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=4.1,local_lock=none", ""),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=3,hard,mountproto=tcp,local_lock=none", "NFS version 3"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,hard", "NFS version 3"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,nfsvers=2", "NFS version 2"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=3,nolock,local_lock=all", "without nolock"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=3,local_lock=flock", "local_lock=flock"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=3,local_lock=all", "local_lock=all"),
        ("36 35 0:45 / /home rw - nfs server:/home rw,vers=3,local_lock=posix", "local_lock=posix"),
        ("36 35 0:45 / /home rw - nfs4 server:/home rw,vers=4.2,local_lock=flock", "local_lock=flock"),
        ("36 35 0:45 / /home rw - lustre 10.0.0.1@tcp:/home rw,flock,lazystatfs", ""),
        ("36 35 0:45 / /home rw,flock - lustre 10.0.0.1@tcp:/home rw", ""),
        ("36 35 0:45 / /home rw - lustre 10.0.0.1@tcp:/home rw,lazystatfs", "mounted with flock"),
        ("36 35 0:45 / /home rw - lustre 10.0.0.1@tcp:/home rw,localflock", "mounted with flock"),
        ("36 35 0:45 / /home rw - lustre 10.0.0.1@tcp:/home rw,noflock", "mounted with flock"),
        ("36 35 0:45 / /home rw - beegfs beegfs_nodev rw,cfgFile=/etc/beegfs/beegfs-client.conf", "BeeGFS"),
        ("36 35 0:45 / /home rw - gpfs gpfs0 rw,relatime", ""),
        ("36 35 0:45 /with\\040-\\040dash /home rw shared:1 master:2 - nfs server:/a\\040b rw,vers=3", "NFS version 3"),
        // What is mounted elsewhere says nothing of this folder.
        ("36 35 0:45 / /hom rw - nfs server:/home rw,vers=3", ""),
        ("36 35 0:45 / /home/other rw - nfs server:/home rw,vers=3", ""),
        ("36 35 0:45 / /home\\040s rw - nfs server:/home rw,vers=3", ""),
        ("not a line of that file", ""),
    ];

    const ROOT: &str = "28 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw";

    #[test]
    fn s3_a_file_system_whose_locks_keep_nobody_out_is_named_with_what_helps() {
        for (line, expected) in MOUNTS {
            let found = unfit_among(&format!("{ROOT}\n{line}\n"), Path::new("/home/me/.local/state/cdse"));
            match found.map(|(problem, remedy)| format!("{problem}: {remedy}")) {
                None => assert_eq!(*expected, "", "{line}"),
                Some(said) => {
                    assert!(!expected.is_empty() && said.contains(expected), "{line}: {said}");
                    assert!(said.contains("/home/me/.local/state/cdse is on ") && said.contains("(mounted at /home)"));
                }
            }
        }
    }

    #[test]
    fn s3_of_several_mounts_the_one_counts_that_holds_the_folder() {
        let nfs = |point: &str| format!("36 35 0:45 / {point} rw - nfs server:/x rw,vers=3");
        let local = |point: &str| format!("36 35 0:46 / {point} rw - tmpfs tmpfs rw");
        let automount = |point: &str| format!("36 35 0:47 / {point} rw - autofs auto.home rw,fd=6");
        let is_unfit = |lines: &[String], folder: &str| unfit_among(&lines.join("\n"), Path::new(folder)).is_some();
        assert!(is_unfit(&[local("/"), nfs("/home"), local("/tmp")], "/home/me"));
        assert!(!is_unfit(&[local("/"), nfs("/home"), local("/home/me")], "/home/me/x"));
        assert!(is_unfit(&[automount("/home"), nfs("/home")], "/home/me"));
        assert!(!is_unfit(&[nfs("/home"), local("/home")], "/home/me"), "the later one hides the first");
        assert!(is_unfit(&[local("/"), nfs("/with\\040space\\134")], "/with space\\/x"));
        assert!(is_unfit(&[nfs("/")], "/anything"));
        assert!(!is_unfit(&[], "/anything"));
    }
}
