;; H01: spins by tail calls, which need neither a loop nor stack.
(component
  (core module $m
    (func $tick (return_call $tock))
    (func $tock (return_call $tick))
    (func (export "run") (call $tick)))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
