;; A task type that needs no installation: put in once, run by any device.
;;
;; wat2wasm fib.wat -o fib.wasm
;; rc-node task register fib fib.wasm --function fibonacci --params n
;; rc-node submit fib -p n=50 --wait
(module
  (func (export "fibonacci") (param $n i32) (result i64)
    (local $a i64) (local $b i64) (local $next i64)
    (local.set $b (i64.const 1))
    (block $done
      (loop $again
        (br_if $done (i32.le_s (local.get $n) (i32.const 0)))
        (local.set $next (i64.add (local.get $a) (local.get $b)))
        (local.set $a (local.get $b))
        (local.set $b (local.get $next))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $again)))
    (local.get $a)))
