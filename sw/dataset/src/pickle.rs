//! Reads the subset of Python's pickle format that CIFAR-10 batches use: protocols 2 to 4, containers, numbers, strings
//! and objects, which are kept as they stand and never run.
//!
//! Written here rather than taken from a crate because the file is untrusted: values live in one flat arena, so nesting
//! cannot exhaust the stack, shared values are never copied, and memory is a small multiple of the file.
//! Opcodes: `pickletools` of the Python standard library.

use std::collections::HashMap;

/// A batch of 10,000 records has about 20,000 values.
const MOST_VALUES: usize = 1 << 20;

/// The number of a value in the arena.
pub(crate) type Id = u32;

/// One value. Strings borrow from the file; Python 2 strings and bytes are the same thing, text is UTF-8.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Bytes(&'a [u8]),
    Text(&'a str),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function, by module and name.
    Global(String),
    /// `callable(args)`, with the state set afterwards, if any.
    Object {
        callable: Id,
        args: Id,
        state: Option<Id>,
    },
}

/// Why a pickle could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Byte offset of the opcode.
    pub offset: usize,
    /// What is wrong.
    pub found: String,
}

/// A pickle's values; the root is the last one left on the stack.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    arena: Vec<Value<'a>>,
    root: Id,
}

impl<'a> Pickle<'a> {
    /// Reads one pickle.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Machine { bytes, at: 0, arena: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() }.run()
    }

    /// Returns the value with this number.
    pub(crate) fn get(&self, id: Id) -> &Value<'a> {
        &self.arena[id as usize]
    }

    /// Returns the number of the root.
    pub(crate) fn root(&self) -> Id {
        self.root
    }

    /// Returns the items of a list or tuple.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// Returns whether the value is this string, as text or as bytes.
    pub(crate) fn is_string(&self, id: Id, want: &str) -> bool {
        match self.get(id) {
            Value::Bytes(b) => *b == want.as_bytes(),
            Value::Text(t) => *t == want,
            // Python 3 writes bytes in protocol 2 as `_codecs.encode(text, 'latin1')`.
            Value::Object { args, .. } => self.latin1(id, *args).is_some_and(|text| text == want),
            _ => false,
        }
    }

    /// Returns the bytes of a Python 2 string, of `bytes`, or of `_codecs.encode(text, 'latin1')`.
    pub(crate) fn bytes(&self, id: Id) -> Option<Vec<u8>> {
        match self.get(id) {
            Value::Bytes(b) => Some(b.to_vec()),
            Value::Object { args, .. } => {
                self.latin1(id, *args)?.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
            }
            _ => None,
        }
    }

    fn latin1(&self, id: Id, args: Id) -> Option<&'a str> {
        let Value::Object { callable, .. } = self.get(id) else { return None };
        let Value::Global(name) = self.get(*callable) else { return None };
        match (name.as_str(), self.items(args)?) {
            ("_codecs encode", &[text, encoding]) if self.is_plain(encoding, "latin1") => match self.get(text) {
                Value::Text(t) => Some(t),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_plain(&self, id: Id, want: &str) -> bool {
        matches!(self.get(id), Value::Text(t) if *t == want)
    }
}

/// The stack machine. A mark is the height of the stack when it was set.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    arena: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    fn run(mut self) -> Result<Pickle<'a>, Fault> {
        loop {
            let offset = self.at;
            if self.arena.len() > MOST_VALUES {
                return Err(Fault { offset, found: format!("more than {MOST_VALUES} values") });
            }
            match self.step() {
                Ok(None) => {}
                Ok(Some(root)) => return Ok(Pickle { arena: self.arena, root }),
                Err(found) => return Err(Fault { offset, found }),
            }
        }
    }

    /// Runs one opcode; returns the root at the end.
    fn step(&mut self) -> Step<Option<Id>> {
        match self.number(1)? as u8 {
            0x80 => drop(self.number(1)?),                                       // PROTO
            0x95 => drop(self.take(8)?),                                         // FRAME
            b'.' => return self.pop().map(Some),                                 // STOP
            b'(' => self.marks.push(self.stack.len()),                           // MARK
            b'N' => self.push(Value::None),                                      // NONE
            0x88 => self.push(Value::Bool(true)),                                // NEWTRUE
            0x89 => self.push(Value::Bool(false)),                               // NEWFALSE
            b'K' => self.int(1)?,                                                // BININT1
            b'M' => self.int(2)?,                                                // BININT2
            b'J' => self.int(4)?,                                                // BININT
            b'U' | b'C' => self.string(1)?,                                      // SHORT_BINSTRING, SHORT_BINBYTES
            b'T' | b'B' => self.string(4)?,                                      // BINSTRING, BINBYTES
            0x8e => self.string(8)?,                                             // BINBYTES8
            0x8c => self.text(1)?,                                               // SHORT_BINUNICODE
            b'X' => self.text(4)?,                                               // BINUNICODE
            b'}' => self.push(Value::Dict(Vec::new())),                          // EMPTY_DICT
            b']' => self.push(Value::List(Vec::new())),                          // EMPTY_LIST
            b')' => self.push(Value::Tuple(Vec::new())),                         // EMPTY_TUPLE
            b't' => self.tuple_to_mark()?,                                       // TUPLE
            op @ 0x85..=0x87 => self.tuple(usize::from(op) - 0x84)?,             // TUPLE1, TUPLE2, TUPLE3
            b'a' => self.append(1)?,                                             // APPEND
            b'e' => self.drop_mark().and_then(|n| self.append(n))?,              // APPENDS
            b's' => self.set_items(2)?,                                          // SETITEM
            b'u' => self.drop_mark().and_then(|n| self.set_items(n))?,           // SETITEMS
            b'q' => self.put(1)?,                                                // BINPUT
            b'r' => self.put(4)?,                                                // LONG_BINPUT
            0x94 => drop(self.memo.insert(self.memo.len() as u32, self.top()?)), // MEMOIZE
            b'h' => self.recall(1)?,                                             // BINGET
            b'j' => self.recall(4)?,                                             // LONG_BINGET
            b'c' => self.global()?,                                              // GLOBAL
            0x93 => self.stack_global()?,                                        // STACK_GLOBAL
            b'R' => self.reduce()?,                                              // REDUCE
            b'b' => self.build()?,                                               // BUILD
            op => return Err(format!("opcode 0x{op:02x}")),
        }
        Ok(None)
    }

    fn take(&mut self, n: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len()).ok_or("the end of the file")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// An unsigned little-endian number of `n` bytes.
    fn number(&mut self, n: usize) -> Step<u64> {
        Ok(self.take(n)?.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b)))
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.arena.len() as Id);
        self.arena.push(value);
    }

    /// The stack above the last mark is all that an opcode may take.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<Id> {
        if self.stack.len() <= self.floor() {
            return Err("an empty stack".into());
        }
        self.stack.pop().ok_or_else(|| "an empty stack".into())
    }

    fn top(&self) -> Step<Id> {
        self.stack.last().copied().ok_or_else(|| "an empty stack".into())
    }

    fn int(&mut self, n: usize) -> Step<()> {
        let value = self.number(n)?;
        // BININT is signed, the shorter ones are not.
        self.push(Value::Int(if n == 4 { i64::from(value as u32 as i32) } else { value as i64 }));
        Ok(())
    }

    fn string(&mut self, width: usize) -> Step<()> {
        let n = usize::try_from(self.number(width)?).map_err(|e| e.to_string())?;
        let bytes = self.take(n)?;
        self.push(Value::Bytes(bytes));
        Ok(())
    }

    fn text(&mut self, width: usize) -> Step<()> {
        let n = self.number(width)? as usize;
        let text = std::str::from_utf8(self.take(n)?).map_err(|e| e.to_string())?;
        self.push(Value::Text(text));
        Ok(())
    }

    /// Drops the last mark and returns how many values stand above it.
    fn drop_mark(&mut self) -> Step<usize> {
        let mark = self.marks.pop().ok_or("no mark")?;
        Ok(self.stack.len() - mark)
    }

    fn split_off(&mut self, n: usize) -> Step<Vec<Id>> {
        let start = self.stack.len().checked_sub(n).filter(|&s| s >= self.floor()).ok_or("an empty stack")?;
        Ok(self.stack.split_off(start))
    }

    fn tuple(&mut self, n: usize) -> Step<()> {
        let items = self.split_off(n)?;
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn tuple_to_mark(&mut self) -> Step<()> {
        let n = self.drop_mark()?;
        self.tuple(n)
    }

    fn append(&mut self, n: usize) -> Step<()> {
        let items = self.split_off(n)?;
        let list = self.top()?;
        match &mut self.arena[list as usize] {
            Value::List(list) => list.extend(items),
            _ => return Err("an append to no list".into()),
        }
        Ok(())
    }

    fn set_items(&mut self, n: usize) -> Step<()> {
        let items = self.split_off(n)?;
        let dict = self.top()?;
        match &mut self.arena[dict as usize] {
            Value::Dict(dict) if n.is_multiple_of(2) => dict.extend(items.chunks_exact(2).map(|kv| (kv[0], kv[1]))),
            _ => return Err("an entry of no dictionary".into()),
        }
        Ok(())
    }

    fn put(&mut self, width: usize) -> Step<()> {
        let key = self.number(width)? as u32;
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Step<()> {
        let key = self.number(width)? as u32;
        let id = *self.memo.get(&key).ok_or_else(|| format!("unknown memo {key}"))?;
        self.stack.push(id);
        Ok(())
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let n = rest.iter().position(|&b| b == b'\n').ok_or("the end of the file")?;
        self.at += n + 1;
        std::str::from_utf8(&rest[..n]).map_err(|e| e.to_string())
    }

    fn global(&mut self) -> Step<()> {
        let name = format!("{} {}", self.line()?, self.line()?);
        self.push(Value::Global(name));
        Ok(())
    }

    fn stack_global(&mut self) -> Step<()> {
        let (name, module) = (self.pop()?, self.pop()?);
        match (&self.arena[module as usize], &self.arena[name as usize]) {
            // The limit keeps a name that is recalled many times from being copied into much memory.
            (Value::Text(m), Value::Text(n)) if m.len() + n.len() < 256 => {
                let name = format!("{m} {n}");
                self.push(Value::Global(name));
                Ok(())
            }
            _ => Err("a global without a name".into()),
        }
    }

    fn reduce(&mut self) -> Step<()> {
        let (args, callable) = (self.pop()?, self.pop()?);
        self.push(Value::Object { callable, args, state: None });
        Ok(())
    }

    fn build(&mut self) -> Step<()> {
        let new = self.pop()?;
        let object = self.top()?;
        match &mut self.arena[object as usize] {
            Value::Object { state, .. } => *state = Some(new),
            _ => return Err("a state of no object".into()),
        }
        Ok(())
    }
}
