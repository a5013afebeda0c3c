;; H17: imports a function of WASI 0.2 that takes text for a status.
(component
  (import "wasi:cli/exit@0.2.0" (instance (export "exit" (func (param "status" string)))))
  (core module $m (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
