// A person who opens the link in a browser is signed in at once. Programs that only fetch it do not use it up.
document.getElementById("sign-in-by-link").requestSubmit();
