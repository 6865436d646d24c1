//! The interpreter: one run of one module, from bytes to its end. Knows nothing of processes. All use of the crate `wasmi` is here
//! and in [`wasi`](super::wasi).
//!
//! Time is watched by giving fuel in slices of a millisecond or so, with a look at the clock between two.

use std::time::{Duration, Instant};

use serde_json::{Number, Value};
use wasmi::{
    CompilationMode, Config, Engine, Error, ExternType, Func, Instance, Linker, Module, ResumableCall, Store,
    StoreLimits, StoreLimitsBuilder, TrapCode, Val, ValType,
};

use super::message::{Bounds, Call, End, Failure};
use super::wasi::{self, TimeUp, Wasi};

/// Between two looks at the clock: a millisecond or two.
const SLICE_FUEL: u64 = 1_000_000;

/// What there may be of tables; code can make them large without memory.
const TABLE_ELEMENTS_MAX: usize = 1 << 20;

/// Deepest nesting of calls.
const CALLS_DEEP_MAX: usize = 10_000;

/// Longest text of an error.
const ERROR_BYTES_MAX: usize = 4096;

/// What a running module can reach.
pub(super) struct State {
    pub(super) wasi: Wasi,
    limits: StoreLimits,
}

/// Engine and imports, the same for every run.
pub(super) struct Interpreter {
    engine: Engine,
    linker: Linker<State>,
}

/// A failure on the way.
struct Failed(Failure, String);

impl Failed {
    fn unfit(message: impl Into<String>) -> Self {
        Self(Failure::Unfit, message.into())
    }
}

impl Interpreter {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        config.consume_fuel(true).ignore_custom_sections(true).set_max_recursion_depth(CALLS_DEEP_MAX);
        // Translated as a whole, once: else the fuel of a run would depend on what ran before it.
        config.compilation_mode(CompilationMode::Eager).wasm_multi_memory(false);
        let engine = Engine::new(&config);
        let linker = wasi::linker(&engine);
        Self { engine, linker }
    }

    /// Checks and translates a module.
    pub(super) fn load(&self, bytes: &[u8]) -> Result<Module, End> {
        Module::new(&self.engine, bytes).map_err(|error| {
            let text = short(&error.to_string());
            End::Failed(Failure::Unfit, format!("`module` is no WebAssembly module that runs here: {text}"))
        })
    }

    /// Runs it; what it wrote is in what comes back.
    pub(super) fn run(&self, module: &Module, call: &Call, bounds: Bounds, wasi: Wasi) -> (End, Wasi) {
        let limits = StoreLimitsBuilder::new()
            .memory_size(bounds.memory_bytes)
            .table_elements(TABLE_ELEMENTS_MAX)
            .instances(1)
            .tables(16)
            .memories(1)
            .build();
        let mut store = Store::new(&self.engine, State { wasi, limits });
        store.limiter(|state| &mut state.limits);
        let mut run = Run {
            deadline: Instant::now() + Duration::from_millis(bounds.time_ms),
            fuel: bounds.fuel.unwrap_or(u64::MAX),
            store: &mut store,
        };
        let end = run.start(&self.linker, module, call).unwrap_or_else(|Failed(why, text)| End::Failed(why, text));
        (end, store.into_data().wasi)
    }
}

/// One run.
struct Run<'a> {
    store: &'a mut Store<State>,
    deadline: Instant,
    /// What is left besides that in the store.
    fuel: u64,
}

impl Run<'_> {
    fn start(&mut self, linker: &Linker<State>, module: &Module, call: &Call) -> Result<End, Failed> {
        check_imports(module)?;
        self.store.data_mut().wasi.set_deadline(self.deadline);
        // A start function cannot be interrupted; whoever started this process looks at the clock, too.
        let all = self.fuel;
        self.set_fuel(all)?;
        let instance = linker.instantiate_and_start(&mut *self.store, module);
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => return self.ended(error),
        };
        self.fuel = self.store.get_fuel().unwrap_or(0);
        self.set_fuel(0)?;
        if let Some(begin) = instance.get_func(&*self.store, "_initialize")
            && let Err(end) = self.call(begin, &[], &mut [])?
        {
            return Ok(end);
        }
        match call {
            Call::Program(_) => {
                let start = self.export(&instance, module, "_start")?;
                let ty = start.ty(&*self.store);
                if !ty.params().is_empty() || !ty.results().is_empty() {
                    return Err(Failed::unfit("`_start` of the module takes or returns something"));
                }
                Ok(self.call(start, &[], &mut [])?.err().unwrap_or(End::Exited(0)))
            }
            Call::Function(name, args) => {
                let function = self.export(&instance, module, name)?;
                let ty = function.ty(&*self.store);
                let inputs = parameters(name, ty.params(), args)?;
                if let Some(strange) = ty.results().iter().find(|ty| !is_number(**ty)) {
                    return Err(Failed::unfit(format!("`{name}` returns a {strange:?}, which is no number")));
                }
                let mut outputs: Vec<Val> = ty.results().iter().map(|ty| Val::default_for_ty(*ty)).collect();
                let called = self.call(function, &inputs, &mut outputs)?;
                Ok(called.err().unwrap_or_else(|| End::Returned(outputs.iter().map(number).collect())))
            }
        }
    }

    fn export(&self, instance: &Instance, module: &Module, name: &str) -> Result<Func, Failed> {
        instance.get_func(&*self.store, name).ok_or_else(|| {
            let functions = module.exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
            let names: Vec<_> = functions.take(20).map(|export| short(export.name())).collect();
            let hint = match names.is_empty() {
                true => "it exports none".to_owned(),
                false => format!("it exports {}", names.join(", ")),
            };
            Failed::unfit(format!("the module has no function `{}`; {hint}", short(name)))
        })
    }

    /// Calls, slice by slice. `Ok(Err(end))`: the module ended itself.
    fn call(&mut self, function: Func, inputs: &[Val], outputs: &mut [Val]) -> Result<Result<(), End>, Failed> {
        self.refuel(0)?;
        let mut called = function.call_resumable(&mut *self.store, inputs, outputs);
        loop {
            match called {
                Ok(ResumableCall::Finished) => return Ok(Ok(())),
                Ok(ResumableCall::OutOfFuel(paused)) => {
                    if Instant::now() >= self.deadline {
                        return Err(Failed(Failure::TimeUp, "the module was not done within its time".to_owned()));
                    }
                    self.refuel(paused.required_fuel())?;
                    called = paused.resume(&mut *self.store, outputs);
                }
                Ok(ResumableCall::HostTrap(trap)) => return self.ended(trap.into_host_error()).map(Err),
                Err(error) => return self.ended(error).map(Err),
            }
        }
    }

    /// Moves a slice of fuel into the store, and at least `required`.
    fn refuel(&mut self, required: u64) -> Result<(), Failed> {
        self.fuel = self.fuel.saturating_add(self.store.get_fuel().unwrap_or(0));
        let slice = SLICE_FUEL.max(required).min(self.fuel);
        if slice == 0 || slice < required {
            return Err(Failed(Failure::Trapped, "the module used up its fuel".to_owned()));
        }
        self.fuel -= slice;
        self.set_fuel(slice)
    }

    fn set_fuel(&mut self, fuel: u64) -> Result<(), Failed> {
        self.store.set_fuel(fuel).map_err(|error| Failed(Failure::Broken, error.to_string()))
    }

    /// What an error means.
    fn ended(&mut self, error: Error) -> Result<End, Failed> {
        if let Some(code) = error.i32_exit_status() {
            return Ok(End::Exited(code));
        }
        if error.downcast_ref::<TimeUp>().is_some() {
            return Err(Failed(Failure::TimeUp, "the module was not done within its time".to_owned()));
        }
        let text = match error.as_trap_code() {
            Some(TrapCode::OutOfFuel) => "the module used up its fuel".to_owned(),
            Some(TrapCode::StackOverflow) => "the module trapped: its calls nest too deeply".to_owned(),
            _ => format!("the module trapped: {}", short(&error.to_string())),
        };
        Err(Failed(Failure::Trapped, text))
    }
}

/// Names the first import that nobody gives, in words that tell what would do.
fn check_imports(module: &Module) -> Result<(), Failed> {
    for import in module.imports() {
        if import.module() != wasi::MODULE || !wasi::offers(import.name()) {
            let (from, name) = (short(import.module()), short(import.name()));
            let offered = format!("only functions of `{}` are offered", wasi::MODULE);
            return Err(Failed::unfit(format!("the module imports `{name}` from `{from}`; {offered}")));
        }
    }
    Ok(())
}

fn is_number(ty: ValType) -> bool {
    matches!(ty, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64)
}

/// The parameters of a function, by its type. Integers may be written as signed or unsigned.
fn parameters(name: &str, types: &[ValType], args: &[Value]) -> Result<Vec<Val>, Failed> {
    let name = short(name);
    if types.len() != args.len() {
        let message = format!("`{name}` takes {} parameters, and `args` has {}", types.len(), args.len());
        return Err(Failed::unfit(message));
    }
    let one = |(index, (ty, arg)): (usize, (&ValType, &Value))| {
        let integer = || arg.as_i64().or_else(|| arg.as_u64().map(u64::cast_signed));
        let value = match ty {
            ValType::I32 => integer().and_then(|n| {
                let unsigned = || u32::try_from(n).ok().map(u32::cast_signed);
                i32::try_from(n).ok().or_else(unsigned).map(Val::I32)
            }),
            ValType::I64 => integer().map(Val::I64),
            #[expect(clippy::cast_possible_truncation, reason = "the nearest number of that size is meant")]
            ValType::F32 => arg.as_f64().map(|x| Val::F32((x as f32).into())),
            ValType::F64 => arg.as_f64().map(|x| Val::F64(x.into())),
            _ => None,
        };
        let wrong = || Failed::unfit(format!("`args[{index}]` is no {ty:?}, which `{name}` takes there"));
        value.ok_or_else(wrong)
    };
    types.iter().zip(args).enumerate().map(one).collect()
}

/// A result as JSON; what JSON has no number for (infinity, not a number) is text.
fn number(value: &Val) -> Value {
    let float = |x: f64| Number::from_f64(x).map_or_else(|| Value::String(x.to_string()), Value::Number);
    match value {
        Val::I32(n) => Value::from(*n),
        Val::I64(n) => Value::from(*n),
        Val::F32(x) => float(f64::from(f32::from(*x))),
        Val::F64(x) => float(f64::from(*x)),
        _ => Value::Null,
    }
}

fn short(text: &str) -> String {
    text[..text.floor_char_boundary(ERROR_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests;
