;; H01: spins over calls through a table, so that no loop is in sight of the compiler.
(component
  (core module $m
    (type $next (func (param i32) (result i32)))
    (table 2 funcref)
    (elem (i32.const 0) $tick $tock)
    (func $tick (type $next) (i32.const 1))
    (func $tock (type $next) (i32.const 0))
    (func (export "run") (local $at i32)
      (loop $again
        (local.set $at (call_indirect (type $next) (local.get $at) (local.get $at)))
        (br $again))))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
