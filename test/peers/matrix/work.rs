// SPDX-License-Identifier: Apache-2.0
//! Waits for two lines, then uses std::fs, std::net, threads and std::process. Says "done", ends with 3.
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{self, Command};
use std::thread;

fn files(n: usize) -> io::Result<usize> {
    let mut sum = 0;
    for _ in 0..n {
        let mut text = String::new();
        let mut file = File::open("/etc/hostname")?;
        sum += file.read_to_string(&mut text)?;
        file.seek(SeekFrom::Start(0))?;
        sum += fs::metadata("/etc/hostname")?.len() as usize;
        let _ = File::open("/no such file");
    }
    Ok(sum)
}

fn tcp() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> io::Result<()> {
        for _ in 0..10 {
            let (mut stream, _) = listener.accept()?;
            let mut buf = [0u8; 8];
            for _ in 0..10 {
                stream.read_exact(&mut buf)?;
                stream.write_all(&buf)?;
            }
        }
        Ok(())
    });
    for _ in 0..10 {
        let mut stream = TcpStream::connect(address)?;
        let mut buf = [0u8; 8];
        for _ in 0..10 {
            stream.write_all(b"12345678")?;
            stream.read_exact(&mut buf)?;
            assert_eq!(&buf, b"12345678");
        }
    }
    server.join().unwrap()
}

fn main() -> io::Result<()> {
    println!("ready");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    println!("again");
    io::stdin().lock().read_line(&mut line)?;
    let sum = files(20)?;
    let path = std::env::temp_dir().join(format!("appscope-work-{}", process::id()));
    OpenOptions::new().create(true).append(true).open(&path)?.write_all(b"line\n")?;
    let other = path.with_extension("other");
    fs::rename(&path, &other)?;
    fs::remove_file(&other)?;
    let entries = fs::read_dir("/proc/self/fd")?.count();
    tcp()?;
    let (mut a, mut b) = UnixStream::pair()?;
    a.write_all(b"pair")?;
    let mut four = [0u8; 4];
    b.read_exact(&mut four)?;
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    udp.send_to(b"datagram", udp.local_addr()?)?;
    let mut eight = [0u8; 8];
    udp.recv_from(&mut eight)?;
    let threads: Vec<_> = (0..8).map(|_| thread::spawn(|| files(50).unwrap())).collect();
    let all: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    println!("{} {} {}", all / sum, entries > 3, String::from_utf8_lossy(&eight));
    for clear in [false, true] {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo of a child; exit 7"]);
        if clear {
            command.env_clear();
        }
        let done = command.output()?;
        print!("{:?} {}", done.status.code(), String::from_utf8_lossy(&done.stdout));
    }
    println!("done");
    io::stdout().flush()?;
    process::exit(3)
}
